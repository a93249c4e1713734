"""Databases that tests in other languages check out of the launcher, one for each test, undone behind it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.control_client import ControlClient
from tests.launcher.executables import executable
from tests.launcher.family import children
from tests.launcher.launched import DEADLINE_S, Launched, postgres, redis
from tests.services.queries import QueryError, redis_call, sql

_NAMES = "SELECT string_agg(name, ' ' ORDER BY id) FROM items"
_INSERT = "INSERT INTO items (name) VALUES ('written')"


@pytest.fixture
def launched(tmp_path: Path, template: Path) -> Iterator[Launched]:
    """Return a launcher with a PostgreSQL and a Redis, whose test checks databases out."""
    services = [postgres(), redis()]
    with Launched(tmp_path / "run", services, template=template, checks_out=True) as launched:
        yield launched


@pytest.fixture
def control(launched: Launched) -> Iterator[ControlClient]:
    """Return a connection to its control socket."""
    with launched.control() as control:
        yield control


def _checked_out(control: ControlClient, service: str = "db", **details: str) -> dict[str, Any]:
    answer = control.ask("checkout", service=service, **details)
    assert answer["ok"], answer
    return answer


def _helper(launched: Launched) -> int:
    """Return the process that isolates."""
    for pid in children(launched.pid):
        if b"checkout_program" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("there is none")


def test_what_a_client_is_told(launched: Launched, control: ControlClient) -> None:
    service = launched.endpoints["db"]
    answer = _checked_out(control)
    address, password, name = f"{service['host']}:{service['port']}", service["password"], answer["database"]
    assert answer == {
        "ok": True,
        "id": 1,
        "service": "db",
        "kind": "postgres",
        "host": service["host"],
        "port": service["port"],
        "user": "test",
        "password": password,
        "database": name,
        "url": f"postgresql://test:{password}@{address}/{name}",
        "jdbc": f"jdbc:postgresql://{address}/{name}?user=test&password={password}",
        "dsn": f"host={service['host']} port={service['port']} user=test password={password} dbname={name} sslmode=disable",
    }
    assert launched.program.environment["REALSERVICES_CONTROL"] == launched.program.runtime["control"]
    assert name != service["database"]


@pytest.mark.parametrize(
    "statement",
    [_INSERT, "DELETE FROM items", "DROP TABLE items", "ALTER TABLE items ADD mark int", "CREATE ROLE somebody"],
)
def test_each_test_finds_the_template(launched: Launched, control: ControlClient, statement: str) -> None:
    names = set()
    for _ in range(4):
        answer = _checked_out(control)
        names.add(answer["database"])
        assert sql(answer["url"], _NAMES) == "seeded"
        assert sql(answer["url"], "SELECT count(*) FROM pg_roles WHERE rolname = 'somebody'") == "0"
        sql(answer["url"], statement)
        assert control.ask("release", id=answer["id"]) == {"ok": True}
    assert len(names) == 4  # Whoever keeps an address does not come into the next test.
    assert sql(launched.endpoints["db"]["url"], _NAMES) == "seeded"
    assert launched.finish() == 0, launched.output


def test_the_end_of_a_connection_releases(launched: Launched) -> None:
    for _ in range(3):
        with launched.control() as control:
            answer = _checked_out(control)
            assert sql(answer["url"], _NAMES) == "seeded"
            sql(answer["url"], _INSERT)
    with launched.control() as control:
        assert sql(_checked_out(control)["url"], _NAMES) == "seeded"
    assert launched.finish() == 0, launched.output


def test_a_client_that_is_killed_holds_nothing(launched: Launched, control: ControlClient) -> None:
    hold = (
        "import os, socket, sys\n"
        "stream = socket.socket(socket.AF_UNIX); stream.connect(os.environ['REALSERVICES_CONTROL'])\n"
        'stream.sendall(b\'{"op": "checkout", "service": "db"}\\n\' * 2)\n'
        "print(stream.makefile().readline(), flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-I", "-S", "-c", hold]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=launched.program.environment, **pipes) as client:
        assert client.stdout
        answer = json.loads(client.stdout.readline())
        sql(answer["url"], _INSERT)
        client.kill()
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            sql(answer["url"], "SELECT 1")
        except QueryError:  # Undone, under another name.
            break
    else:
        raise AssertionError("it is there still")
    assert sql(_checked_out(control)["url"], _NAMES) == "seeded"
    assert launched.finish() == 0, launched.output


def test_a_client_that_goes_while_it_waits(launched: Launched, control: ControlClient) -> None:
    for _ in range(5):
        with launched.control() as gone:
            gone.tell("checkout", service="db")
            gone.tell("checkout", service="cache")
    for _ in range(5):
        answer = _checked_out(control)
        assert sql(answer["url"], _NAMES) == "seeded"
        assert control.ask("release") == {"ok": True}
    assert launched.finish() == 0, launched.output


def test_tests_that_run_at_the_same_time(launched: Launched) -> None:
    def test(number: int) -> tuple[str, str]:
        with launched.control() as control:
            answer, cache = _checked_out(control), _checked_out(control, "cache")
            sql(answer["url"], f"INSERT INTO items (name) VALUES ('{number}')")
            assert sql(answer["url"], _NAMES) == f"seeded {number}"
            return answer["database"], str(cache["database"])

    assert launched.program.pid
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(test, range(18)))
    assert len({database for database, _ in found}) == 18
    assert launched.finish() == 0, launched.output


def test_a_redis_is_empty_and_the_tests_own(launched: Launched, control: ControlClient) -> None:
    numbers = set()
    for _ in range(4):
        answer = _checked_out(control, "cache")
        assert answer["url"].endswith(f"@{answer['host']}:{answer['port']}/{answer['database']}")
        with _Redis(answer) as client:
            assert client.call("DBSIZE") == ":0"
            assert client.call("SET", "key", "value") == "+OK"
            assert client.call("FLUSHALL").startswith("-NOPERM")
            assert client.call("SELECT", "0").startswith("-NOPERM")
            numbers.add(answer["database"])
            assert control.ask("release", id=answer["id"]) == {"ok": True}
            assert client.is_cut()
    assert 0 not in numbers
    assert redis_call(launched.endpoints["cache"], "INFO", "keyspace").strip() == "# Keyspace"


def test_a_connection_that_stays_does_not_come_into_the_next_test(launched: Launched, control: ControlClient) -> None:
    answer = _checked_out(control)
    insert = f"{_INSERT}; SELECT pg_sleep(60); {_INSERT}"
    psql = launched.runfiles / "postgres/pginstall/bin/psql"
    with subprocess.Popen([psql, "-Xc", insert, answer["url"]], stderr=subprocess.PIPE) as client:
        activity = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + DEADLINE_S
        while sql(launched.endpoints["db"]["url"], activity) != "1":
            assert time.monotonic() < deadline
        assert control.ask("release") == {"ok": True}
        assert sql(_checked_out(control)["url"], _NAMES) == "seeded"
        _, said = client.communicate(timeout=DEADLINE_S)
        assert b"terminating connection" in said


def test_what_a_server_wrote_is_undone(tmp_path: Path, template: Path) -> None:
    app = executable("app", needs=("db",))
    with (
        Launched(tmp_path / "run", [postgres(), app], template=template, checks_out=True) as launched,
        launched.control() as control,
    ):
        servers = launched.endpoints["db"]["url"]
        for _ in range(3):
            answer = _checked_out(control, "app")
            assert answer["url"] == launched.endpoints["app"]["url"]
            assert sql(servers, _NAMES) == "seeded"
            sql(servers, _INSERT)
            assert control.ask("release") == {"ok": True}
        assert sql(servers, _NAMES) == "seeded"
        assert launched.finish() == 0, launched.output


def test_what_cannot_be_undone_fails_the_target(launched: Launched, control: ControlClient) -> None:
    """A test's name comes from the client."""
    _checked_out(control)
    control.ask("release")
    answer = _checked_out(control, test="TestOwner")
    service = launched.endpoints["db"]["url"]
    sql(service, "CREATE ROLE keeper; CREATE TABLE kept (a int); ALTER TABLE kept OWNER TO keeper")
    sql(answer["url"], "COMMENT ON ROLE test IS 'something of the whole server'")
    control.ask("release")
    assert launched.finish() == 1
    assert (
        "app_test: TestOwner: this test has left in service 'db' (//app:db), for all databases of it: "
        in launched.output
    )
    assert "role 'keeper' (created)" in launched.output
    assert "That could not be undone. Undo it in the test" in launched.output


def test_requests_that_cannot_be_served(launched: Launched, control: ControlClient) -> None:
    present = "db (postgres), cache (redis)"
    assert control.ask("checkout") == {
        "ok": False,
        "error": f"'service' is not given, and this test has more than one or none: {present}",
    }
    assert control.ask("checkout", service="queue") == {
        "ok": False,
        "error": f"no service 'queue'; this test has {present}",
    }
    assert control.ask("release", id=7) == {"ok": False, "error": "this connection holds no check-out 7; it holds none"}
    answer = _checked_out(control)
    with launched.control() as other:
        refused = other.ask("release", id=answer["id"])
        assert refused["error"] == f"this connection holds no check-out {answer['id']}; it holds none"
        assert other.ask("release") == {"ok": True}
    assert sql(answer["url"], _NAMES) == "seeded"


def test_one_service_needs_no_name(tmp_path: Path) -> None:
    with (
        Launched(tmp_path / "run", [redis()], checks_out=True) as launched,
        launched.control() as control,
    ):
        assert control.ask("checkout")["service"] == "cache"


def test_a_target_that_has_not_asked_for_it(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched, launched.control() as control:
        for operation in ("checkout", "release"):
            assert control.ask(operation) == {
                "ok": False,
                "error": f"{operation}: this target has no check-outs; set 'checkout = True' on its real_service_test",
            }


def test_more_tests_than_a_redis_has_databases(tmp_path: Path) -> None:
    service = redis()
    service["config"]["databases"] = 3
    with Launched(tmp_path / "run", [service], checks_out=True) as launched, launched.control() as control:
        held = [_checked_out(control, "cache")["database"] for _ in range(2)]
        assert sorted(held) == [1, 2]
        assert control.ask("checkout", service="cache")["error"] == (
            "no database of Redis service 'cache' is left: as many tests as it has databases for hold one. Release those "
            "that are done, run fewer tests at once, or set databases on the redis_service to more"
        )
        control.ask("release")
        assert control.ask("checkout", service="cache")["ok"]


def test_a_service_that_does_not_serve(launched: Launched, control: ControlClient) -> None:
    assert control.ask("kill", service="db")["ok"]
    answer = control.ask("checkout", service="db")
    assert answer["ok"] is False
    assert answer["error"].startswith(
        "cannot clone template database 'realservices_template' of service 'db' (//app:db)"
    )


def test_the_process_that_isolates_is_killed(launched: Launched, control: ControlClient) -> None:
    _checked_out(control)
    os.kill(_helper(launched), signal.SIGKILL)
    told = {"ok": False, "error": "the process that isolates for tests in other languages has ended; it said: nothing"}
    deadline = time.monotonic() + DEADLINE_S
    while (answer := control.ask("checkout", service="db"))["ok"]:
        assert time.monotonic() < deadline
    assert answer == told
    assert launched.finish() == 0


def test_a_client_library_that_is_not_there(tmp_path: Path) -> None:
    with (
        Launched(tmp_path / "run", [redis()], checks_out=True, client_paths=[]) as launched,
        launched.control() as control,
    ):
        answer = control.ask("checkout")
    assert answer == {"ok": False, "error": "ModuleNotFoundError: No module named 'redis'"}


def _command(launched: Launched, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["realservices-checkout", *arguments],
        env=launched.program.environment | variables,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.fixture
def path(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the test program's PATH."""
    monkeypatch.setenv("PATH", launched.program.environment["PATH"])


@pytest.mark.usefixtures("path")
def test_a_command_has_databases_of_its_own(launched: Launched) -> None:
    script = "echo $DATABASE_URL $TEST_POSTGRES_DB $REALSERVICES_DB_URL $REDIS_URL; exit 7"
    done = _command(launched, "db", "cache", "--", "sh", "-c", script)
    assert (done.returncode, done.stderr) == (7, "")
    url, name, own_url, cache = done.stdout.split()
    assert url == own_url
    assert url.endswith(f"/{name}")
    assert url != launched.endpoints["db"]["url"]
    assert cache.endswith("/1")


def test_a_command_finds_the_targets_own_names(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = {"APP_DSN": [{"service": "db", "field": "url"}, "?x=1"]}
    with Launched(
        tmp_path / "run", [postgres()], template=template, mapping=mapping, checks_out=True, on_path=["psql"]
    ) as launched:
        monkeypatch.setenv("PATH", launched.program.environment["PATH"])
        script = f'psql -XAtqc "{_INSERT}; {_NAMES}" "$DATABASE_URL"; echo $APP_DSN $DATABASE_URL'
        for _ in range(3):
            done = _command(launched, "db", "--", "sh", "-c", script)
            names, urls = done.stdout.splitlines()
            dsn, url = urls.split()
            assert names == "seeded written"
            assert dsn == f"{url}?x=1"


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("arguments", [(), ("db",), ("db", "--"), ("--", "true")])
def test_a_command_that_is_incomplete(launched: Launched, arguments: tuple[str, ...]) -> None:
    done = _command(launched, *arguments)
    assert (done.returncode, done.stderr) == (64, "usage: realservices-checkout SERVICE … -- PROGRAM ARGUMENT …\n")


@pytest.mark.usefixtures("path")
def test_a_command_without_its_database(launched: Launched) -> None:
    done = _command(launched, "queue", "--", "true")
    text = "realservices-checkout: no service 'queue'; this test has db (postgres), cache (redis)\n"
    assert (done.returncode, done.stderr) == (1, text)
    done = _command(launched, "db", "--", "true", REALSERVICES_CONTROL="/nowhere")
    assert (done.returncode, done.stderr) == (1, "realservices-checkout: [Errno 2] No such file or directory\n")
    assert _command(launched, "db", "--", "sh", "-c", "kill -9 $$").returncode == 137


class _Redis:
    """A client as any language has one: with the account of a URL."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._connection = socket.create_connection((answer["host"], answer["port"]), DEADLINE_S)
        self._stream = self._connection.makefile("rwb")
        assert self.call("AUTH", answer["user"], answer["password"]) == "+OK"
        assert self.call("SELECT", str(answer["database"])) == "+OK"

    def __enter__(self) -> _Redis:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def call(self, *words: str) -> str:
        """Send a command and return its one-line answer."""
        self._stream.write(" ".join(words).encode() + b"\r\n")
        self._stream.flush()
        return self._stream.readline().decode().strip()

    def is_cut(self) -> bool:
        """Return whether the server ends the connection."""
        return self._connection.recv(1) == b""
