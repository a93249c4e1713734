"""`up`: what it starts, on which ports, and what it shows of it."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from realservices.system.process_ids import program_of
from tests.cli.development import ask
from tests.host.ports import free_port
from tests.host.terminal import CTRL_C, opened_terminal

if TYPE_CHECKING:
    from tests.cli.development import Development

_REDIS = '[services.cache]\nkind = "redis"\n'
_POSTGRES = '[services.db]\nkind = "postgres"\nmigrations = ["slow.sql"]\n'


def _reply(service: dict[str, Any], *commands: str) -> str:
    with socket.create_connection((service["host"], service["port"])) as connection:
        connection.sendall("".join(f"{each}\r\n" for each in commands).encode())
        return connection.recv(1000).decode()


def test_all_services_are_told_as_they_get_ready(development: Development) -> None:
    development.project.declare(backend='services = ["auth"]', auth="")
    with development.up() as up:
        up.await_ready()
        lines = up.output.splitlines()
        assert re.fullmatch(r"auth     http://127\.0\.0\.1:\d+  ready in \d+ ms", lines[0])
        assert re.fullmatch(r"backend  http://127\.0\.0\.1:\d+  ready in \d+ ms", lines[1])
        assert lines[2:] == ["all 2 services are ready; Ctrl-C ends them"]
        assert development.file("auth")["pid"] == up.pid
        assert lines[0].split()[1] == development.file("auth")["base_url"]
        assert up.end() == 0
        assert up.errors == ""


def test_services_of_choice_and_what_they_need(development: Development) -> None:
    development.project.declare(auth="", backend='services = ["auth"]', worker='args = "--ends"')
    with development.up("backend") as up:
        up.await_ready()
        assert [line.split()[0] for line in up.output.splitlines()] == ["auth", "backend", "all"]
        assert sorted(path.name for path in development.discovery.iterdir()) == ["auth.json", "backend.json"]


def test_from_a_directory_of_the_project(development: Development) -> None:
    development.project.declare(auth="")
    (development.directory / "deep").mkdir()
    with development.up() as up:
        up.await_output("^auth is ready; Ctrl-C ends it")
        done = development.run("status", directory=development.directory / "deep")
        assert done.returncode == 0, done.stdout


def test_as_json(development: Development) -> None:
    development.with_servers()
    development.project.declare(auth='services = ["cache"]')
    development.append(_REDIS)
    with development.up("--json") as up:
        up.await_ready()
        ready = up.events[0]
        assert (ready["event"], ready["version"], ready["pid"]) == ("ready", 1, up.pid)
        assert (ready["project"], ready["discovery"]) == (str(development.directory), str(development.discovery))
        assert list(ready["services"]) == ["cache", "auth"]
        cache = ready["services"]["cache"]
        assert _reply(cache, f"AUTH {cache['password']}", "PING") == "+OK\r\n+PONG\r\n"
        assert ready["environment"]["REDIS_URL"] == cache["url"]
        assert ready["environment"]["REALSERVICES_AUTH_URL"] == ready["services"]["auth"]["url"]
        assert ready["services"]["auth"]["startup_ms"] > 0
        ask(development.file("auth"), "/end", may_end=True)
        up.await_output('"failed".*\n')
        assert up.end() == 0
        failed, ended = up.events[1:]
        assert (failed["event"], failed["service"]) == ("failed", "auth")
        assert "exited with code 3 while the session ran" in failed["error"]
        assert ended == {"event": "ended"}
        assert up.errors == ""


def test_passwords_are_shown_where_only_the_developer_sees_them(development: Development) -> None:
    development.with_servers()
    development.append(_REDIS)
    with development.up() as up:
        up.await_output(r"^cache  redis://:\*\*\*@127\.0\.0\.1:\d+/0  ready")
    with development.up("--show-passwords") as up:
        up.await_output(r"^cache  redis://:[^*@]{8,}@127\.0\.0\.1:\d+/0  ready")
    with opened_terminal(development.command("up"), development.environment, str(development.directory)) as terminal:
        terminal.await_output(r"^cache  redis://:[^*@]{8,}@127\.0\.0\.1:\d+/0  ready")
        terminal.press(CTRL_C)
        assert terminal.wait() == 0


def test_a_service_that_dies_is_told_at_once_and_the_others_go_on(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up() as up:
        up.await_ready()
        ask(development.file("auth"), "/say/last-words")
        ask(development.file("auth"), "/end", may_end=True)
        up.await_error("last-words")
        assert re.fullmatch(
            r"realservices up: service 'auth' \(.*\) exited with code 3 while the session ran, [\d.]+ s after "
            r"its start\n  its last log lines:\n    auth serves\n    last-words\n",
            up.errors,
        )
        ask(development.file("backend"), "/health")
        assert up.end() == 0


def test_what_services_write(development: Development) -> None:
    words = '--last-words words"'
    development.project.declare(auth=f'args = "{words}', backend=f'args = "{words}')
    with development.up("--logs") as up:
        up.await_output(r"^auth     \| auth serves$")
        up.await_output(r"^backend  \| backend serves$")
        up.await_ready()
        ask(development.file("auth"), "/say/hello")
        up.await_output(r"^auth     \| hello$")
        assert up.end() == 0


def test_what_services_write_as_json(development: Development) -> None:
    development.project.declare(auth="")
    with development.up("--logs", "--json") as up:
        up.await_output('"event": "log".*\n')
        assert {"event": "log", "service": "auth", "line": "auth serves"} in up.events


def test_a_failure_names_itself_and_ends_the_rest(development: Development) -> None:
    development.project.declare(auth='args = "--last-words words"', backend='services = ["auth"]\nargs = "--ends"')
    done = development.run("up")
    assert done.returncode == 1
    assert re.match(r"realservices up: service 'backend' \(.*\) exited with code 1 after ", done.stderr)
    assert "its last log lines:\n    no licence found\n" in done.stderr
    assert (development.directory / "words").read_text() == "auth\n"
    assert not development.discovery.exists()
    assert not list((development.directory.parent / "registry" / "groups").iterdir())


def test_a_start_that_takes_too_long(development: Development) -> None:
    development.project.declare(auth='args = "--silent"')
    done = development.run("up", "--startup-timeout", "1.5")
    assert done.returncode == 1
    assert "service 'auth' (executable) was not ready within 1.5 s (startup_timeout)" in done.stderr


@pytest.mark.parametrize("value", ["0", "soon", "inf"])
def test_a_timeout_that_is_none(development: Development, value: str) -> None:
    done = development.run("up", "--startup-timeout", value)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{value}' is no number of seconds above 0" in done.stderr


def test_there_is_nothing_to_start(development: Development) -> None:
    done = development.run("up")
    assert done.returncode == 1
    assert f"no service is declared in {development.directory}: add [tool.realservices.services.NAME]" in done.stderr
    assert "clickhouse, postgres, redis, websocket_relay" in done.stderr
    development.project.declare(auth="")
    done = development.run("up", "auth", "api")
    assert done.returncode == 1
    assert f"no service 'api' in {development.directory}; there are auth, clickhouse, postgres, redis" in done.stderr
    (development.directory / "realservices.toml").write_text("[services", encoding="utf-8")
    assert "realservices.toml: Expected" in development.run("up").stderr


def test_a_switch_that_is_none(development: Development) -> None:
    development.environment["DYNAMIC_PORTS"] = "often"
    assert "DYNAMIC_PORTS='often' is neither on nor off" in development.run("up").stderr


def test_services_that_need_no_declaration(development: Development) -> None:
    development.with_servers()
    with development.up("redis") as up:
        up.await_output("^redis is ready")


def test_declared_ports_are_the_default(development: Development) -> None:
    port = free_port()
    development.project.declare(auth=f"fixed_ports = {{ http = {port} }}", backend="")
    for arguments, variables, is_fixed in [
        ((), {}, True),
        (("--dynamic-ports",), {}, False),
        ((), {"DYNAMIC_PORTS": "true"}, False),
        (("--no-dynamic-ports",), {"DYNAMIC_PORTS": "true"}, True),
    ]:
        os.environ.pop("DYNAMIC_PORTS", None)
        development.environment.pop("DYNAMIC_PORTS", None)
        development.environment |= variables
        with development.up(*arguments) as up:
            up.await_ready()
            assert (development.file("auth")["port"] == port) is is_fixed
            assert development.file("backend")["port"] != port
            assert up.end() == 0


def test_a_declared_port_that_is_taken(development: Development) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        development.project.declare(auth=f"fixed_ports = {{ http = {port} }}")
        done = development.run("up")
        assert done.returncode == 1
        assert f"port {port} (http) is taken by {program_of(os.getpid())} (process {os.getpid()})" in done.stderr
        assert "Here that is `up --dynamic-ports`" in done.stderr
        with development.up("--dynamic-ports") as up:
            up.await_ready()


def test_a_service_of_somebody_else(development: Development) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        url = f"http://127.0.0.1:{other.getsockname()[1]}/api"
        development.environment["TEST_HTTP_URL"] = url
        with development.up() as up:
            up.await_output(f"^http  {url}  is external, and there$")
            up.await_ready()
            assert development.states() == {"http": "healthy"}
            done = development.run("logs", "http")
            assert "service 'http' at 127.0.0.1:" in done.stderr
            assert "was not started here: its log is where it was started" in done.stderr
            assert up.end() == 0


def test_a_schema_that_is_being_built(development: Development) -> None:
    development.with_servers()
    development.append(_POSTGRES)
    # New each time: no earlier run has built it.
    sql = f"-- {development.directory}\nSELECT pg_sleep(2);\n"
    (development.directory / "slow.sql").write_text(sql, encoding="utf-8")
    with development.up() as up:
        up.await_output("^building the schema of db …$")
        up.await_ready()
        up.await_output(r"^db  postgresql://test:\*\*\*@127\.0\.0\.1:\d+/test  ready in \d{4} ms$")


def test_progress_on_a_terminal(development: Development) -> None:
    go = development.directory / "go"
    os.mkfifo(go)
    development.project.declare(auth=f'args = "--await {go}"')
    environment = development.environment | {"TERM": "xterm"}
    with opened_terminal(development.command("up"), environment, str(development.directory)) as terminal:
        terminal.await_output(r"\r\x1b\[Kstarting auth … 0\.\d s")
        go.write_text("go")
        terminal.await_output(r"\r\x1b\[K\x1b\[31mauth\x1b\[0m  http://127\.0\.0\.1:\d+  ready in \d+ ms\n")
        terminal.await_output("^.*auth is ready; Ctrl-C ends it$")
        terminal.press(CTRL_C)
        assert terminal.wait() == 0
        assert "everything has ended, nothing of it is left" in terminal.output


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_there_is_no_colour_where_none_is_wanted(development: Development, env: dict[str, str]) -> None:
    development.project.declare(auth="")
    environment = development.environment | {"TERM": "xterm"} | env
    with opened_terminal(development.command("up"), environment, str(development.directory)) as terminal:
        terminal.await_output("auth is ready; Ctrl-C ends it$")
        assert "\x1b[31m" not in terminal.output
        assert ("\x1b" in terminal.output) == (env != {"TERM": "dumb"} and "\x1b[K" in terminal.output)


def test_ports_of_a_database_by_name(development: Development) -> None:
    development.with_servers()
    development.append(_REDIS)
    with development.up("--json") as up:
        up.await_ready()
        service = json.loads(up.output)["services"]["cache"]
        assert service["ports"] == {"redis": service["port"]}
