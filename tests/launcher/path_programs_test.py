"""Clients of services on the test program's PATH."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from realservices.programs import clickhouse_client
from tests.launcher.launched import DEADLINE_S, Launched, postgres, redis
from tests.services.queries import redis_call


@pytest.fixture
def launched(tmp_path: Path, template: Path) -> Iterator[Launched]:
    """Return a launcher whose test program finds clients on its PATH."""
    services = [postgres(), redis()]
    on_path = ["psql", "pg_dump", "redis-cli"]
    with Launched(tmp_path / "run", services, template=template, on_path=on_path) as launched:
        yield launched


def _run(launched: Launched, script: str, said: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        ["sh", "-c", script],
        env=launched.program.environment,
        input=said,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_programs_of_postgresqls_distribution(launched: Launched) -> None:
    code, output, _ = _run(
        launched, 'psql -XAtc "SELECT name FROM items" "$DATABASE_URL"; command -v psql; command -v pg_dump'
    )
    assert code == 0
    name, *paths = output.splitlines()
    assert name == "seeded"
    directory = f"{launched.program.runtime['private']}/bin"
    assert paths == [f"{directory}/psql", f"{directory}/pg_dump"]
    assert Path(paths[0]).resolve() == (launched.runfiles / "postgres/pginstall/bin/psql").resolve()
    code, output, _ = _run(launched, 'pg_dump --data-only --inserts "$DATABASE_URL"')
    assert "INSERT INTO public.items OVERRIDING SYSTEM VALUE VALUES (1, 'seeded');" in output


def test_nothing_is_on_path_that_was_not_asked_for(launched: Launched) -> None:
    assert sorted(path.name for path in Path(launched.program.runtime["private"], "bin").iterdir()) == [
        "pg_dump",
        "psql",
        "redis-cli",
    ]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("redis-cli PING", "PONG\n"),
        ("redis-cli SET key 'two words' && redis-cli GET key && redis-cli DEL key", "OK\ntwo words\n1\n"),
        ("redis-cli GET none", "\n"),
        ("redis-cli RPUSH list a b && redis-cli --raw LRANGE list 0 -1 && redis-cli DEL list", "2\na\nb\n1\n"),
        ('redis-cli -u "$REDIS_URL" -n 3 CLIENT INFO | grep -c " db=3 "', "1\n"),
        ('redis-cli -h "$TEST_REDIS_HOST" -p "$TEST_REDIS_PORT" -a "$TEST_REDIS_PASSWORD" PING', "PONG\n"),
        ('REDISCLI_AUTH="$TEST_REDIS_PASSWORD" redis-cli -p "$TEST_REDIS_PORT" PING', "PONG\n"),
    ],
)
def test_commands_of_redis(launched: Launched, script: str, output: str) -> None:
    assert _run(launched, script) == (0, output, "")


def test_lines_of_commands_for_redis(launched: Launched) -> None:
    code, output, _ = _run(launched, "redis-cli", "SET a 1\n\nINCR a\nNOSUCH\nGET a\n")
    assert code == 0
    assert output == "OK\n2\n(error) ERR unknown command 'NOSUCH', with args beginning with: \n2\n"
    assert redis_call(launched.endpoints["cache"], "GET", "a") == "2"


def test_a_command_that_redis_refuses(launched: Launched) -> None:
    code, output, _ = _run(launched, "redis-cli -e INCR")
    assert (code, output) == (1, "(error) ERR wrong number of arguments for 'incr' command\n")
    assert _run(launched, "redis-cli INCR")[0] == 0  # As with the real one.


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("redis-cli --bigkeys", "--bigkeys: this redis-cli is a small one and knows -h, -p, "),
        ("redis-cli -n", "-n: this redis-cli is a small one and knows "),
        ("redis-cli -p none PING", "port 'none' and database '' must be numbers"),
        ("redis-cli -p 1 PING", "[Errno 111] Connection refused"),
    ],
)
def test_what_redis_cli_cannot_do(launched: Launched, script: str, said: str) -> None:
    code, output, error = _run(launched, script)
    assert (code, output) == (1, "")
    assert error.startswith(f"redis-cli: {said}")


def test_a_distribution_with_a_client_of_its_own(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], on_path=["redis-cli"]) as launched:
        stub = Path(launched.program.runtime["private"], "bin", "redis-cli")
        assert not stub.is_symlink()
        server = (launched.runfiles / "redis/redis-server").resolve()
    own = tmp_path / "own"
    own.mkdir()
    (own / "redis-server").write_text(f'#!/bin/sh\nexec {server} "$@"\n')
    (own / "redis-cli").write_text("#!/bin/sh\necho the real one\n")
    for path in own.iterdir():
        path.chmod(0o755)
    unstarted = Launched(tmp_path / "again", [redis()], on_path=["redis-cli"])
    (unstarted.runfiles / "redis/redis-server").unlink()
    (unstarted.runfiles / "redis/redis-server").symlink_to(own / "redis-server")
    with unstarted as launched:
        assert _run(launched, "redis-cli PING") == (0, "the real one\n", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "pgbouncer",
            "on_path: 'pgbouncer' is none of clickhouse-client, pg_dump, pg_isready, pg_restore, pgbench, psql, ",
        ),
        ("clickhouse-client", "on_path: 'clickhouse-client' is none of "),
    ],
)
def test_a_program_that_is_not_to_be_had(tmp_path: Path, name: str, said: str) -> None:
    with Launched(tmp_path / "run", [redis()], on_path=[name]) as launched:
        assert launched.wait() == 1
    assert f"realservices: {said}" in launched.output


def test_a_distribution_that_lacks_a_program(tmp_path: Path, template: Path) -> None:
    unstarted = Launched(tmp_path / "run", [postgres()], template=template, on_path=["pgbench"])
    distribution = unstarted.short / "distribution"
    whole = distribution.resolve()
    distribution.unlink()
    (distribution / "bin").mkdir(parents=True)
    for path in [*whole.iterdir(), *(whole / "bin").iterdir()]:
        if path.name not in ("bin", "pgbench"):
            (distribution / path.relative_to(whole)).symlink_to(path)
    with unstarted as launched:
        assert launched.wait() == 1
    assert "realservices: on_path: pgbench: the distribution of //app:app_test's postgres has no such program" in (
        launched.output
    )


class _ClickHouse(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, str | None, str | None]]] = []

    def do_POST(self) -> None:
        statement = self.rfile.read(int(self.headers["Content-Length"])).decode()
        account = (self.headers["X-ClickHouse-User"], self.headers["X-ClickHouse-Key"])
        self.seen.append((self.path, statement, *account))
        answer = b"Code: 62. DB::Exception: Syntax error\n" if "wrong" in statement else b"1\n"
        self.send_response(400 if "wrong" in statement else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def clickhouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, str | None, str | None]]]:
    """Return what a server that speaks ClickHouse's HTTP has been asked; CLICKHOUSE_URL is its."""
    _ClickHouse.seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ClickHouse)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("CLICKHOUSE_URL", f"http://te%73t:secret@127.0.0.1:{server.server_port}/app")
    yield _ClickHouse.seen
    server.shutdown()
    thread.join()
    server.server_close()


def _client(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["clickhouse-client", *arguments])
    return clickhouse_client.main()


def test_queries_of_clickhouse(
    clickhouse: list[tuple[str, str, str | None, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert _client(monkeypatch, "--query", "SELECT 1;\nSELECT ';x'; \n") == 0
    assert _client(monkeypatch, "-q", "SELECT 2", "--database=other", "-f", "CSV", "-u", "me", "--password", "x") == 0
    assert clickhouse == [
        ("/?database=app&default_format=TabSeparated", "SELECT 1", "test", "secret"),
        ("/?database=app&default_format=TabSeparated", "SELECT ';x'", "test", "secret"),
        ("/?database=other&default_format=CSV", "SELECT 2", "me", "x"),
    ]
    assert capfd.readouterr().out == "1\n1\n1\n"


@pytest.mark.usefixtures("clickhouse")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-q", "wrong"), "Code: 62. DB::Exception: Syntax error"),
        (("--port", "9000"), "--port: this client comes with rules_realservices and knows -q, -d, "),
        (("-q",), "-q: this client comes with rules_realservices and knows "),
        (("-q", "SELECT 1", "--http-port", "1"), "[Errno 111] Connection refused"),
    ],
)
def test_what_clickhouse_client_cannot_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert _client(monkeypatch, *arguments) == 1
    assert capfd.readouterr().err.startswith(f"clickhouse-client: {said}")


def test_a_server_that_is_killed_within_an_answer(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CLICKHOUSE_URL", f"http://127.0.0.1:{server.getsockname()[1]}/app")

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nX-ClickHouse-Summary: {"read_rows":"4"}\r\n')

        thread = threading.Thread(target=answer)
        thread.start()
        assert _client(monkeypatch, "-q", "SELECT 1") == 1
        thread.join()
    assert capfd.readouterr() == ("", "clickhouse-client: the server closed the connection within its answer\n")
