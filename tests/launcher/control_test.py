"""The control socket: a test stops, starts, kills and pauses its services, and the launcher takes that for intended."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realservices.control.messages import MOST_LINE_BYTES
from realservices.launcher.control_server import ControlServer
from realservices.launcher.supervisor import Supervisor
from tests.host import places
from tests.launcher.control_client import ControlClient
from tests.launcher.launched import Launched, postgres, redis
from tests.services.queries import QueryError, backend_in, redis_call, sql

_SOON_MS = 1000
_OK = {"ok": True}


@pytest.fixture
def launched(tmp_path: Path, template: Path) -> Iterator[Launched]:
    """Return a launcher with a PostgreSQL and a Redis."""
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        yield launched


@pytest.fixture
def control(launched: Launched) -> Iterator[ControlClient]:
    """Return a connection to its control socket."""
    with launched.control() as control:
        yield control


def _names(launched: Launched) -> str:
    return sql(launched.endpoints["db"]["url"], "SELECT string_agg(name, ' ' ORDER BY id) FROM items")


def test_status(launched: Launched, control: ControlClient) -> None:
    answer = control.ask("status")
    assert answer["ok"] is True
    for name, endpoint in launched.endpoints.items():
        status = answer["services"][name]
        assert status["state"] == "ready"
        assert status["port"] == endpoint["port"]
        assert 0 < status["ready_ms"] < 60_000
        os.kill(status["pid"], 0)
    assert launched.finish() == 0


def test_waiting_for_what_is_ready(launched: Launched, control: ControlClient) -> None:
    assert control.ask("wait", services=None) == _OK
    assert control.ask("wait", services=["cache"]) == _OK
    assert control.ask("wait") == _OK


def test_watching_tells_of_the_next_change(launched: Launched, control: ControlClient) -> None:
    states = {"db": "ready", "cache": "ready"}
    assert control.ask("wait") == _OK
    # Somebody who knows less is told at once.
    known = control.ask("watch", states={})["services"]
    assert {name: each["state"] for name, each in known.items()} == states
    watching = threading.Thread(target=lambda: found.append(control.ask("watch", states=states)))
    found: list[dict[str, Any]] = []
    watching.start()
    os.kill(known["cache"]["pid"], 9)
    watching.join(60)
    services = found[0]["services"]
    assert (services["cache"]["state"], services["db"]["state"]) == ("failed", "ready")
    assert services["cache"]["error"].startswith("service 'cache' (//app:cache) was killed by SIGKILL")
    assert services["db"]["error"] == ""
    assert control.ask("start", service="cache") == _OK
    assert control.ask("wait") == _OK
    assert launched.finish() == 0


def test_logs(launched: Launched, control: ControlClient) -> None:
    lines = control.ask("logs", service="db", lines=2)["lines"]
    assert len(lines) == 2
    assert "database system is ready to accept connections" in lines[-1]
    assert len(control.ask("logs", service="db")["lines"]) > 2
    assert control.ask("logs", service="db", lines=0)["lines"] == []


def test_stopped_and_started_postgres_keeps_its_data(launched: Launched, control: ControlClient) -> None:
    sql(launched.endpoints["db"]["url"], "INSERT INTO items (name) VALUES ('kept')")
    for _ in range(2):
        assert control.ask("stop", service="db") == _OK
        assert control.state("db") == "stopped"
        with pytest.raises(QueryError, match="Connection refused"):
            _names(launched)
        assert control.ask("start", service="db") == _OK
        assert control.ask("wait", services=["db"]) == _OK
        assert _names(launched) == "seeded kept"
    log = Path(launched.endpoints["db"]["log"]).read_text("utf-8")
    assert log.count("database system is shut down") == 2
    assert "was not properly shut down" not in log
    assert launched.finish() == 0
    assert launched.output == ""


def test_killed_and_started_postgres_recovers_what_was_committed(launched: Launched, control: ControlClient) -> None:
    # The second kill meets a server that is not process 1 of a namespace any more.
    for number in range(2):
        sql(
            launched.endpoints["db"]["url"],
            "SET synchronous_commit = on",
            f"INSERT INTO items (name) VALUES ('kept{number}')",
        )
        assert control.ask("kill", service="db") == _OK
        assert control.ask("start", service="db") == _OK
        assert control.ask("wait", services=["db"]) == _OK
    assert _names(launched) == "seeded kept0 kept1"
    assert Path(launched.endpoints["db"]["log"]).read_text("utf-8").count("was not properly shut down") == 2
    assert launched.finish() == 0


def test_postgres_killed_while_it_recovers_recovers_all_the_same(launched: Launched, control: ControlClient) -> None:
    url = launched.endpoints["db"]["url"]
    # Enough to replay for some kills to come in the middle.
    sql(url, "INSERT INTO items (name) SELECT 'many' || n FROM generate_series(1, 100000) n")
    for _ in range(6):
        assert control.ask("kill", service="db") == _OK
        assert control.ask("start", service="db") == _OK
    assert control.ask("wait", services=["db"]) == _OK
    assert sql(url, "SELECT count(*) FROM items") == "100001"
    assert launched.finish() == 0


def test_killing_postgres_kills_its_workers(launched: Launched, control: ControlClient) -> None:
    # After a restart its workers are not in a process namespace that ends with it.
    control.ask("stop", service="db")
    control.ask("start", service="db")
    control.ask("wait", services=["db"])
    pid = control.ask("status")["services"]["db"]["pid"]
    # A worker that computes does not look after its postmaster.
    busy = "SELECT count(*) FROM generate_series(1, 1000000000000)"
    with subprocess.Popen(
        [places.psql(), "-X", launched.endpoints["db"]["url"], "-c", busy], stderr=subprocess.DEVNULL
    ) as client:
        worker = os.pidfd_open(backend_in(pid, "SELECT"))
        assert control.ask("kill", service="db") == _OK
        poll = select.poll()
        poll.register(worker, select.POLLIN)
        assert poll.poll(_SOON_MS), "a worker goes on with data that the next server will open"
        os.close(worker)
        assert client.wait(60) != 0
    assert launched.finish() == 0


def test_a_stopped_service_that_stays_stopped_is_no_failure(launched: Launched, control: ControlClient) -> None:
    for name in ("db", "cache"):
        assert control.ask("stop", service=name) == _OK
    assert launched.finish() == 0
    assert launched.output == ""


def test_waiting_for_a_stopped_service_says_so(launched: Launched, control: ControlClient) -> None:
    control.ask("stop", service="db")
    answer = control.ask("wait", services=["db"])
    assert answer["ok"] is False
    assert answer["error"].startswith("service 'db' (//app:db) was stopped")
    assert control.ask("wait", services=["cache"]) == _OK


def test_restarted_redis_serves_with_the_same_password(launched: Launched, control: ControlClient) -> None:
    cache = launched.endpoints["cache"]
    for operation in ("stop", "kill"):
        assert redis_call(cache, "SET", "key", "value") == "OK"
        assert control.ask(operation, service="cache") == _OK
        with pytest.raises(ConnectionError):
            redis_call(cache, "PING")
        assert control.ask("start", service="cache") == _OK
        assert control.ask("wait", services=["cache"]) == _OK
        assert redis_call(cache, "PING") == "PONG"
    # It keeps nothing: that is what a Redis without persistence does.
    assert redis_call(cache, "DBSIZE") == "0"
    assert launched.finish() == 0


@pytest.mark.parametrize("name", ["db", "cache"])
def test_a_paused_service_hangs_until_it_is_resumed(launched: Launched, control: ControlClient, name: str) -> None:
    endpoint = launched.endpoints[name]
    assert control.ask("pause", service=name) == _OK
    assert control.state(name) == "paused"
    with socket.create_connection((endpoint["host"], endpoint["port"])) as client:
        # The kernel accepts the connection; nobody answers on it. PostgreSQL answers an SSL request with one byte.
        client.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f" if name == "db" else b"PING\r\n")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert control.ask("resume", service=name) == _OK
        assert control.state(name) == "ready"
        client.settimeout(60)
        assert client.recv(1) in (b"N", b"S", b"-")
    assert launched.finish() == 0


def test_pausing_postgres_pauses_its_workers(launched: Launched, control: ControlClient) -> None:
    with subprocess.Popen(
        [places.psql(), "-XAtq", launched.endpoints["db"]["url"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdin
        assert client.stdout
        for answer in ("before", "after"):
            client.stdin.write(f"SELECT '{answer}';\n".encode())
            client.stdin.flush()
            if answer == "after":
                # Asked while it was paused.
                assert select.select([client.stdout.fileno()], [], [], 0.3) == ([], [], [])
                assert control.ask("resume", service="db") == _OK
            assert client.stdout.readline() == f"{answer}\n".encode()
            if answer == "before":
                assert control.ask("pause", service="db") == _OK
        client.stdin.close()
        assert client.wait(60) == 0
    assert launched.finish() == 0


@pytest.mark.parametrize("name", ["db", "cache"])
@pytest.mark.parametrize("operation", ["stop", "kill"])
def test_a_paused_service_can_be_ended(launched: Launched, control: ControlClient, name: str, operation: str) -> None:
    assert control.ask("pause", service=name) == _OK
    assert control.ask(operation, service=name) == _OK
    assert control.state(name) == "stopped"
    assert launched.finish() == 0


@pytest.mark.parametrize("name", ["db", "cache"])
def test_a_service_may_be_paused_to_the_end(launched: Launched, control: ControlClient, name: str) -> None:
    assert control.ask("pause", service=name) == _OK
    assert launched.finish() == 0


def test_a_failed_service_may_be_started_again(launched: Launched, control: ControlClient) -> None:
    os.kill(control.ask("status")["services"]["cache"]["pid"], 9)
    launched.await_state("cache", "failed")
    answer = control.ask("wait", services=["cache"])
    assert answer["ok"] is False
    assert answer["error"].startswith("service 'cache' (//app:cache) was killed by SIGKILL while the test ran")
    assert "Ready to accept connections" in answer["error"]
    assert control.ask("start", service="cache") == _OK
    assert control.ask("wait", services=["cache"]) == _OK
    # The program is not ended any more for a service that is well again.
    program = os.pidfd_open(launched.program.pid)
    poll = select.poll()
    poll.register(program, select.POLLIN)
    assert not poll.poll(6000)
    os.close(program)
    assert launched.finish() == 0


@pytest.mark.parametrize(
    ("request_line", "error"),
    [
        (
            b'{"op": "explode"}',
            "unknown operation 'explode'; known are ['wait', 'status', 'logs', 'start', 'stop', 'kill', ",
        ),
        (b'{"op": "stop", "service": "queue"}', "no service 'queue'; this test has cache, db"),
        (b'{"op": "wait", "services": ["db", "queue"]}', "no service 'queue'; this test has cache, db"),
        (b'{"op": "stop"}', "service is missing: a text"),
        (b'{"op": "watch"}', "states is missing: an object"),
        (b'{"service": "db"}', "op is missing: a text"),
        (b"[]", "it is [], not an object"),
        (b"null", "it is None, not an object"),
        (b"stop db", "Expecting value"),
        (b"\xff\xfe\xff", "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"op": ["status"]}', "op is ['status'], not a text"),
        (b'{"op": "sta\\u0000tus"}', "op is "),
        (b'{"op": "wait", "services": 5}', "services is 5, not a list of texts or null"),
        (b'{"op": "wait", "services": [["db"]]}', "services[0] is ['db'], not a text"),
        (b'{"op": "watch", "states": 7}', "states is 7, not an object"),
        (b'{"op": "watch", "states": [["db", "ready"]]}', "states is [['db', 'ready']], not an object"),
        (b'{"op": "watch", "states": {"db": 1}}', "states.db is 1, not a text"),
        (b'{"op": "logs", "service": "db", "lines": "many"}', "lines is 'many', not a whole number from 0 to "),
        (b'{"op": "logs", "service": "db", "lines": 1e999}', "lines is inf, not a whole number from 0 to "),
        (b'{"op": "logs", "service": "db", "lines": NaN}', "NaN is not a JSON number"),
        (b'{"op": "logs", "service": "db", "lines": -1}', "lines is -1, not a whole number from 0 to "),
        (b'{"op": "logs", "service": ["db"]}', "service is ['db'], not a text"),
        (b'{"op": "add", "service": {}, "runfiles": ""}', "service.name is missing: "),
        (b'{"op": "start", "service": "db"}', "service 'db' runs already (pid "),
        (b'{"op": "resume", "service": "db"}', "service 'db' is ready; resume needs one that is paused"),
    ],
)
def test_a_wrong_request_is_answered_and_changes_nothing(
    launched: Launched, control: ControlClient, request_line: bytes, error: str
) -> None:
    answer = control.ask_raw(request_line)
    assert answer["ok"] is False
    assert answer["error"].startswith(("bad request ", error))
    assert error in answer["error"]
    assert {service["state"] for service in control.ask("status")["services"].values()} == {"ready"}
    assert launched.finish() == 0


@pytest.mark.parametrize("operation", ["stop", "kill", "pause", "resume"])
def test_what_does_not_run_cannot_be_ended_or_paused(
    launched: Launched, control: ControlClient, operation: str
) -> None:
    control.ask("stop", service="cache")
    answer = control.ask(operation, service="cache")
    assert answer["ok"] is False
    assert answer["error"].startswith(f"service 'cache' is stopped; {operation} needs one that is ")


def test_requests_may_come_in_pieces_and_in_heaps(launched: Launched) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(launched.program.runtime["control"])
        for piece in (b'{"op": "st', b'atus"}\n{"op": "wait"}\n{"op": "logs", ', b'"service": "db", "lines": 1}\n'):
            connection.sendall(piece)
        with connection.makefile("rb") as answers:
            received = [answers.readline() for _ in range(3)]
    assert b'"services"' in received[0]
    assert received[1] == b'{"ok": true}\n'
    assert b'"lines"' in received[2]


def test_who_never_reads_holds_up_only_himself(launched: Launched, control: ControlClient) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(60)
        silent.connect(launched.program.runtime["control"])
        request = b'{"op": "status"}\n' * 1000
        # It is hung up on when some MB of answers wait: until then its requests are taken, and others are served.
        for _ in range(1000):
            try:
                silent.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                break
            assert control.state("db") == "ready"
        else:
            pytest.fail("a thousand times a thousand answers wait for somebody who does not read")
    assert launched.finish() == 0


def test_who_never_reads_does_not_keep_the_launcher_from_ending(launched: Launched) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(launched.program.runtime["control"])
        silent.sendall(b'{"op": "status"}\n' * 1000)
        launched.signal(signal.SIGTERM)
        assert launched.wait() != 0
    assert "ended by SIGTERM" in launched.output


def test_a_line_without_end_is_refused(launched: Launched, control: ControlClient) -> None:
    with socket.socket(socket.AF_UNIX) as endless, endless.makefile("rb") as answers:
        endless.settimeout(60)
        endless.connect(launched.program.runtime["control"])
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            endless.sendall(b"x" * 2 * MOST_LINE_BYTES)
        assert answers.readline() == b'{"ok": false, "error": "more than 16 MB without the end of a line"}\n'
    assert control.state("db") == "ready"
    assert launched.finish() == 0


def test_no_more_than_so_many_connections(launched: Launched, control: ControlClient) -> None:
    path = launched.program.runtime["control"]
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.settimeout(60)
            idle.connect(path)
        assert idle.recv(1000) == b'{"ok": false, "error": "more than 512 connections; close some"}\n'
        assert idle.recv(1) == b""
        assert control.state("db") == "ready"
    with launched.control() as later:
        assert later.state("db") == "ready"
    assert launched.finish() == 0


def test_many_connections_and_hasty_ones(launched: Launched) -> None:
    for _ in range(50):
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(launched.program.runtime["control"])
            hasty.sendall(b'{"op": "wait"}\n{"op": "status"}\n')
    clients = [launched.control() for _ in range(20)]
    for client in clients:
        assert client.ask("wait") == _OK
    for client in clients:
        with client:
            assert client.state("db") == "ready"
    assert launched.finish() == 0


def test_only_the_user_may_connect(launched: Launched) -> None:
    path = Path(launched.program.runtime["control"])
    assert path.parent.stat().st_mode & 0o077 == 0
    assert launched.finish() == 0
    assert not path.exists()


def test_who_finds_the_socket_finds_somebody_who_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that comes while another one starts the services' process looks for the path, and connects."""
    directory = Path(tempfile.mkdtemp(prefix="rst.", dir="/tmp"))
    path = directory / "control.sock"
    was_there: list[bool] = []

    class Listener(socket.socket):
        def listen(self, *backlog: int) -> None:
            was_there.append(path.exists())
            super().listen(*backlog)

    monkeypatch.setattr("realservices.launcher.control_server.socket.socket", Listener)
    server = ControlServer(str(path), Supervisor([], {}))
    assert was_there == [False]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    server.close()
    shutil.rmtree(directory)
