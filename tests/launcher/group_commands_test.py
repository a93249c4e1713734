"""Commands with the services of a group: its environment, any program, psql, redis-cli; and the second terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host import places
from tests.host.running import Running
from tests.launcher.executables import PORT, executable
from tests.launcher.family import guardian_of
from tests.launcher.grouped import LABEL, Group
from tests.launcher.launched import postgres, redis
from tests.services.queries import sql

_COUNT = ("-XAtqc", "SELECT count(*) FROM items")
_INSERT = ("-XAtqc", "INSERT INTO items (name) VALUES ('mine')")
_PRINT = "import os, sys; print(*(os.environ[name] for name in sys.argv[1:]), os.getcwd())"

_FIND = """
import os
from realservices.sources.services import find_services
found = find_services()
is_same = found.endpoint("postgres").url == os.environ["DATABASE_URL"]
print(found.label, *found.names("postgres"), *found.names("redis"), is_same)
"""


@pytest.fixture
def group(template: Path) -> Iterator[Group]:
    services = [postgres(), redis(), executable("app", "print", "hello", "listen", PORT, needs=("db",))]
    with Group(services, template=template) as declared:
        yield declared


@pytest.fixture
def run(group: Group) -> Iterator[Running]:
    with group.start() as running:
        running.await_output(f"^{LABEL} is ready")
        yield running


def _url(run: Running, name: str) -> str:
    return run.await_output(rf"^{name} +(\S+)  ready in")[1]


# One command with services of its own


def test_a_command_runs_with_fresh_services_where_the_developer_stands(group: Group) -> None:
    names = ("DATABASE_URL", "REDIS_URL", "REALSERVICES_APP_URL", "OWN", "HOME")
    command = ("exec", sys.executable, "-c", _PRINT, *names)
    code, output = group.run(*command, env={"OWN": "a b"})
    assert code == 0, output
    here = re.escape(str(group.directory))
    assert re.fullmatch(
        rf"postgresql://test:\w+@127\.0\.0\.1:\d+/test redis://:\w+@127\.0\.0\.1:\d+/0 http://127\.0\.0\.1:\d+ "
        rf"a b {here} {here}\n",
        output,
    )


def test_the_python_side_finds_the_services_in_a_command(group: Group) -> None:
    command = ("exec", sys.executable, "-c", _FIND)
    code, output = group.run(*command, env={"PYTHONPATH": str(places.PACKAGE_ROOT)})
    assert (code, output) == (0, f"{LABEL} db cache True\n")


@pytest.mark.parametrize(("end", "code"), [("exit 7", 7), ("kill -KILL $$", 137)])
def test_a_command_s_exit_code_is_returned(group: Group, end: str, code: int) -> None:
    assert group.run("exec", "/bin/sh", "-c", end) == (code, "")


def test_a_command_that_is_not_there_starts_nothing(group: Group) -> None:
    code, output = group.run("exec", "no-such-program")
    assert (code, output) == (1, "realservices: there is no program 'no-such-program' in PATH\n")
    code, output = group.run("exec", "./no-such-program")
    assert output == f"realservices: there is no program './no-such-program' in {group.directory}\n"


def test_a_command_beside_the_group_has_services_of_its_own(group: Group, run: Running) -> None:
    sql(_url(run, "db"), "INSERT INTO items (name) VALUES ('mine')")
    psql = str(group.directory / "runfiles/postgres/pginstall/bin/psql")
    code, output = group.run("exec", "/bin/sh", "-c", f'"{psql}" -XAtqc "SELECT count(*) FROM items" "$DATABASE_URL"')
    assert (code, output) == (0, "1\n")


def test_a_command_whose_service_does_not_start_fails_with_the_cause(template: Path) -> None:
    with Group([executable("app", "print", "no such table", "exit", "3")]) as group:
        code, output = group.run("exec", "/bin/true")
    assert code == 1
    assert f"realservices: {LABEL}: service 'app' (//app:app) exited with code 3" in output
    assert "    no such table" in output


def test_sigterm_ends_a_command_and_its_services(group: Group) -> None:
    with group.start("exec", "/bin/sh", "-c", 'echo "$REALSERVICES_RUNTIME"; exec sleep 1000') as run:
        runtime = run.await_output(r"^(/.*)$")[1]
        run.signal(signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGTERM
    assert not Path(runtime).parent.exists()


# psql and redis-cli


def test_psql_has_a_server_of_its_own_where_no_group_runs(group: Group) -> None:
    assert group.run("psql", *_INSERT) == (0, "")
    assert group.run("psql", *_COUNT) == (0, "1\n")


def test_psql_connects_to_the_group_that_runs(group: Group, run: Running) -> None:
    sql(_url(run, "db"), "INSERT INTO items (name) VALUES ('mine')")
    assert group.run("psql", *_COUNT) == (0, "2\n")


def test_psql_heeds_no_variable_of_the_developers(group: Group) -> None:
    env = {"PGSSLMODE": "verify-full", "PGSERVICE": "mine", "PGHOSTADDR": "192.0.2.1", "PGOPTIONS": "-c no_such=1"}
    assert group.run("psql", *_COUNT, env=env) == (0, "1\n")


def test_psql_returns_its_own_exit_code(group: Group, run: Running) -> None:
    code, output = group.run("psql", "-XAtqc", "SELECT wrong")
    assert code == 1
    assert 'column "wrong" does not exist' in output


def test_redis_cli_is_taken_from_the_path_and_told_where_and_how(group: Group, run: Running) -> None:
    # redis-cli is not in the package: this one shows what it was given.
    path = group.directory / "bin"
    path.mkdir()
    (path / "redis-cli").write_text('#!/bin/sh\necho "$@" "$REDISCLI_AUTH"\n', "utf-8")
    (path / "redis-cli").chmod(0o755)
    code, output = group.run("redis-cli", "PING", env={"PATH": f"{path}:/usr/bin:/bin"})
    found = re.fullmatch(r"redis://:(\w+)@127\.0\.0\.1:(\d+)/0", _url(run, "cache"))
    assert found
    assert (code, output) == (0, f"-h 127.0.0.1 -p {found[2]} PING {found[1]}\n")


def test_no_redis_cli_is_told_with_what_to_install(group: Group) -> None:
    code, output = group.run("redis-cli", env={"PATH": "/nowhere"})
    assert code == 1
    assert "there is no program 'redis-cli' in PATH; the pinned Redis comes without it: install it" in output


@pytest.mark.parametrize(("word", "kind"), [("psql", "PostgreSQL"), ("redis-cli", "Redis")])
def test_a_client_without_a_server_is_refused(word: str, kind: str) -> None:
    with Group([executable("app")]) as group:
        code, output = group.run(word)
    assert (code, output) == (1, f"realservices: {LABEL} has no {kind}; it has app (executable)\n")


# The second terminal


def test_env_is_what_a_shell_can_read(group: Group, run: Running) -> None:
    code, output = group.run("env")
    assert code == 0
    shown = subprocess.run(
        ["/bin/sh", "-c", f"{output}\nenv -0"], capture_output=True, text=True, check=True, env={}
    ).stdout
    variables = dict(entry.split("=", 1) for entry in shown.split("\0") if entry)
    assert variables["DATABASE_URL"] == variables["REALSERVICES_DB_URL"] == _url(run, "db")
    assert variables["REDIS_URL"] == _url(run, "cache")
    assert Path(variables["REALSERVICES_RUNTIME"]).exists()


@pytest.mark.parametrize(
    "words", [("env",), ("status",), ("logs", "db"), ("restart", "db"), ("stop", "db")], ids=" ".join
)
def test_what_asks_a_group_says_that_none_runs(group: Group, words: tuple[str, ...]) -> None:
    code, output = group.run(*words)
    assert code == 1
    assert output == (f"realservices: {LABEL} does not run; start it with `bazel run {LABEL}` in another terminal\n")


def test_a_group_that_was_killed_does_not_run(group: Group, run: Running) -> None:
    run.signal(signal.SIGKILL)
    run.wait()
    code, output = group.run("status")
    assert code == 1
    assert "does not run" in output


def test_a_killed_group_does_not_run_while_its_guardian_clears_up(group: Group, run: Running) -> None:
    guardian = guardian_of(run.pid)
    os.kill(guardian, signal.SIGSTOP)
    try:
        run.signal(signal.SIGKILL)
        run.wait()
        code, output = group.run("status")
    finally:
        os.kill(guardian, signal.SIGCONT)
    assert code == 1
    assert "does not run" in output


def test_a_group_that_is_starting_says_so() -> None:
    with Group([executable("app", "print", "begun", "await", "/nowhere")]) as group, group.start("--logs") as run:
        run.await_output("begun")
        code, output = group.run("status")
    assert code == 1
    assert output == f"realservices: {LABEL} is starting; ask again when its services are ready\n"


def test_a_service_is_restarted_with_its_data_and_address(group: Group, run: Running) -> None:
    url = _url(run, "db")
    sql(url, "INSERT INTO items (name) VALUES ('mine')")
    run.forget()
    code, output = group.run("restart", "db")
    assert code == 0, output
    assert re.fullmatch(r"db is ready in \d+ ms\n", output)
    assert _url(run, "db") == url
    assert sql(url, "SELECT count(*) FROM items") == "2"


def test_a_service_that_died_is_started_again(group: Group, run: Running) -> None:
    found = re.search(r"^✓ app +\S+ +ready +process (\d+)$", group.run("status")[1], re.MULTILINE)
    assert found
    os.kill(int(found[1]), signal.SIGKILL)
    run.await_output("was killed by SIGKILL while the group ran")
    assert re.search(r"^✗ app +\S+ +failed$", group.run("status")[1], re.MULTILINE)
    assert group.run("restart", "app")[0] == 0
    assert re.search(r"^✓ app +\S+ +ready +process \d+$", group.run("status")[1], re.MULTILINE)


def test_a_restart_in_vain_is_told_in_both_terminals(group: Group, run: Running) -> None:
    group.program.write_text("#!/bin/sh\necho no such table\nexit 4\n", "utf-8")
    code, output = group.run("restart", "app")
    assert code == 1
    assert output.startswith("realservices: service 'app' (//app:app) exited with code 4 after ")
    assert "    no such table" in output
    run.await_output(r"^realservices: service 'app' \(//app:app\) exited with code 4 after ")


def test_a_service_is_stopped_until_it_is_restarted(group: Group, run: Running) -> None:
    assert group.run("stop", "cache") == (0, "cache is stopped\n")
    assert group.run("stop", "cache") == (0, "cache is stopped\n")
    assert re.search(r"^✗ cache +\S+ +stopped$", group.run("status")[1], re.MULTILINE)
    assert group.run("restart", "cache")[0] == 0
    assert re.search(r"^✓ cache +\S+ +ready", group.run("status")[1], re.MULTILINE)


def test_logs_are_what_a_service_has_written(group: Group, run: Running) -> None:
    assert group.run("logs", "app") == (0, "hello\n")
    assert group.run("logs", "app", "-n", "0") == (0, "")
    code, output = group.run("logs", "queue")
    assert (code, output) == (1, f"realservices: {LABEL} has no service 'queue'; it has db, cache, app\n")


@pytest.mark.parametrize(("ends", "code"), [("group", 0), ("reader", 128 + signal.SIGINT)])
def test_logs_can_be_followed(group: Group, run: Running, ends: str, code: int) -> None:
    with group.start("logs", "app", "--follow") as following:
        following.await_output("^hello$")
        (run if ends == "group" else following).signal(signal.SIGINT)
        assert following.wait() == code


def test_help_is_no_error(group: Group) -> None:
    code, output = group.run("--help")
    assert code == 0
    assert f"usage: bazel run {LABEL}" in output
