"""Migrators of a PostgreSQL template: what they find, what becomes of what they leave, and what is said of a bad one."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.host import places
from tests.host.real_root import needs_all_ids
from tests.services.template_tool import TemplateBuild

_OWN = {"service": "", "field": "url"}


def _psql(*statements: str, name: str = "//app:psql") -> dict[str, Any]:
    words = [word for statement in statements for word in ("-c", statement)]
    return {"name": name, "program": places.psql(), "args": [["-X"], ["-q"], *([word] for word in words)]}


def _python(code: str, *arguments: Any) -> dict[str, Any]:
    """Return a migrator that runs Python code after it has connected once, by psql."""
    connect = (
        f"import subprocess; subprocess.run([{places.psql()!r}, '-c', 'SELECT 1'], check=True, capture_output=True)\n"
    )
    return {"name": "//app:code", "program": sys.executable, "args": [["-c"], [connect + code], *arguments]}


def _sh(script: str, *arguments: Any) -> dict[str, Any]:
    return {"name": "//app:script", "program": "/bin/sh", "args": [["-c"], [script], ["sh"], *arguments]}


def _build(
    directory: Path,
    *migrators: dict[str, Any],
    env: dict[str, Any] | None = None,
    timeout_s: float = 60,
    enclosure: list[str] | None = None,
) -> TemplateBuild:
    spec = {"migrators": list(migrators), "env": env or {}, "timeout_s": timeout_s}
    # Bazel gives a file, a session the text.
    if len(migrators) > 1:
        (directory / "migrate.json").write_text(json.dumps(spec), "utf-8")
        return TemplateBuild(directory, enclosure=enclosure).option("migrate", str(directory / "migrate.json"))
    return TemplateBuild(directory, enclosure=enclosure).option("migrate", json.dumps(spec))


def _works(build: TemplateBuild) -> None:
    done = build.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _refusal(build: TemplateBuild) -> str:
    done = build.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert not build.archive.exists()
    return done.stderr


def test_they_run_in_order_after_migrations_and_before_seeds(tmp_path: Path) -> None:
    build = _build(
        tmp_path,
        _psql("CREATE TABLE b AS SELECT * FROM a", "CREATE ROLE painter"),
        _psql("CREATE TABLE c AS SELECT * FROM b", "CREATE DATABASE gallery OWNER painter"),
    )
    build.migration("001.sql", "CREATE TABLE a (id int);")
    _works(build.seed("seed.sql", "INSERT INTO c VALUES (1); ALTER DATABASE gallery OWNER TO painter;"))


def test_they_find_the_server_by_url_and_variables_on_loopback(tmp_path: Path) -> None:
    keep = (
        "CREATE TABLE seen AS SELECT host(inet_server_addr()) AS host, current_user AS name, current_database() AS base"
    )
    by_url = _sh('exec "$0" "$DATABASE_URL" -qc "$1"', [keep])
    by_url["args"][2] = [places.psql()]
    build = _build(tmp_path, by_url).option("user", "ada").option("database", "notes")
    check = "SELECT 1 / (SELECT count(*) FROM seen WHERE (host, name, base) = ('127.0.0.1', 'ada', 'notes'))"
    _works(build.seed("seed.sql", check))


def test_references_stand_for_the_servers_address(tmp_path: Path) -> None:
    part = [{"service": "", "field": field} for field in ("user", "password", "host", "port", "database")]
    url = ["postgresql://", part[0], ":", part[1], "@", part[2], ":", part[3], "/", part[4]]
    script = 'test "$SAME" = "$DATABASE_URL" && test "$SAME" = "$URL" && exec "$1" "$SAME" -c "SELECT 1"'
    _works(_build(tmp_path, _sh(script, [places.psql()]), env={"SAME": url, "URL": [_OWN]}))


def test_the_unix_socket_is_there_too(tmp_path: Path) -> None:
    script = 'exec "$1" -h "$SOCKET" -c "SELECT 1"'
    env = {"SOCKET": [{"service": "", "field": "socket"}]}
    _works(_build(tmp_path, _sh(script, [places.psql()]), env=env))


def test_a_file_is_found_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.sql").write_text("CREATE TABLE a (id int);", "utf-8")
    migrator = _psql()
    migrator["args"] += [["-f"], [{"file": "schema.sql"}]]
    _works(_build(tmp_path, migrator).seed("seed.sql", "INSERT INTO a VALUES (1);"))


def test_files_stand_in_the_working_directory_and_what_is_written_there_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.sql").write_text("CREATE TABLE a (id int);", "utf-8")
    migrator = _sh('"$1" -f db/schema.sql && echo more > db/dump.sql && pwd', [places.psql()])
    migrator |= {"cwd": "app", "files": {"app/db/schema.sql": "schema.sql", "lib/b.txt": "schema.sql"}}
    _works(_build(tmp_path, migrator, migrator | _psql("SELECT 1")).seed("seed.sql", "INSERT INTO a VALUES (1);"))
    assert [path.name for path in tmp_path.rglob("dump.sql")] == []


def test_nothing_of_the_callers_environment_reaches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    monkeypatch.setenv("SECRET", "x")
    code = "import os; assert 'SECRET' not in os.environ; assert os.environ['HOME'] == os.getcwd() != '/root'"
    _works(_build(tmp_path, _python(code)))


def test_nobody_gets_in_without_the_password(tmp_path: Path) -> None:
    script = 'PGPASSWORD=wrong "$1" -c "SELECT 1" && exit 9; PGPASSWORD= "$1" -w -c "SELECT 1" && exit 9; exec "$1" -c "SELECT 1"'
    _works(_build(tmp_path, _sh(script, [places.psql()])))


def test_the_password_is_in_no_command_line(tmp_path: Path) -> None:
    code = """
import os, glob
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        assert os.environ["PGPASSWORD"].encode() not in open(path, "rb").read(), path
    except OSError:
        pass
"""
    _works(_build(tmp_path, _python(code)))


def test_without_migrators_the_server_listens_nowhere(tmp_path: Path) -> None:
    check = "SELECT 1 / (current_setting('listen_addresses') = '')::int"
    _works(TemplateBuild(tmp_path).migration("001.sql", check))


def test_what_they_leave_running_and_connected_is_ended(tmp_path: Path) -> None:
    leave = (
        '(setsid "$1" -c "BEGIN; CREATE TABLE half (id int)" -c "SELECT pg_sleep(600)" >/dev/null 2>&1 &) ;'
        'until "$1" -Atc "SELECT 1 FROM pg_stat_activity WHERE query LIKE \'SELECT pg_sleep%\'" | grep -q 1; do :; done'
    )
    began = time.monotonic()
    _works(_build(tmp_path, _sh(leave, [places.psql()])))
    assert time.monotonic() - began < 60


def test_a_server_that_one_leaves_with_its_output_does_not_hold_the_build(tmp_path: Path) -> None:
    code = "subprocess.Popen(['sleep', '611'], start_new_session=True)"
    _works(_build(tmp_path, _python(code), timeout_s=30))
    assert _command_lines().count(b"sleep\x00611\x00") == 0


def _command_lines() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


def test_one_that_fails_is_named_with_its_code_and_last_lines(tmp_path: Path) -> None:
    code = "import sys\nfor i in range(99): print('line', i, flush=True)\nprint('out of paint', file=sys.stderr); sys.exit(7)"
    message = _refusal(_build(tmp_path, _python(code)))
    assert message.startswith("//app:db: migrate: //app:code exited with code 7 after 0.")
    assert " s. Its last lines:\n    line 60\n" in message
    assert message.endswith("    line 98\n    out of paint\n")


def test_one_that_is_killed_and_says_nothing(tmp_path: Path) -> None:
    message = _refusal(_build(tmp_path, _python("import os; os.kill(os.getpid(), 9)")))
    assert message.startswith("//app:db: migrate: //app:code was killed by SIGKILL after ")
    assert message.endswith(" s. It said nothing\n")


def test_those_behind_one_that_fails_are_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    _refusal(_build(tmp_path, _sh("exit 1"), _sh(f"touch {marker}")))
    assert not marker.exists()


def test_one_that_hangs_is_ended_with_words(tmp_path: Path) -> None:
    message = _refusal(_build(tmp_path, _sh("echo Overwrite? [y/N]; while :; do sleep 600; done"), timeout_s=0.5))
    assert message.startswith(
        "//app:db: migrate: //app:script has not ended within 0.5 s (migrate_timeout_s), and was ended. "
    )
    assert message.endswith("or give it more time. Its last lines:\n    Overwrite? [y/N]\n")


def test_one_that_asks_finds_no_input(tmp_path: Path) -> None:
    message = _refusal(_build(tmp_path, _sh('read answer || { echo "no answer"; exit 3; }')))
    assert "exited with code 3" in message
    assert "no answer" in message


def test_one_that_is_no_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("no program\n", "utf-8")
    migrator = {"name": "//app:program", "program": str(program), "args": []}
    message = _refusal(_build(tmp_path, migrator))
    assert "migrate: //app:program exited with code 127" in message
    assert f"cannot start {program}: " in message
    assert "Permission denied" in message


def test_one_that_never_connects_is_refused(tmp_path: Path) -> None:
    message = _refusal(_build(tmp_path, _psql("SELECT 1"), _sh("exit 0")))
    assert "migrate: //app:script ended with code 0 and has never connected to this server" in message
    assert "DATABASE_URL" in message


def test_one_that_only_makes_roles_or_finds_nothing_to_do_is_accepted(tmp_path: Path) -> None:
    roles = _psql("CREATE ROLE painter")
    roles["args"] += [["postgres"]]
    _works(_build(tmp_path, roles, _psql("SELECT 1")))


def test_much_output_is_no_obstacle(tmp_path: Path) -> None:
    _works(_build(tmp_path, _python("import sys; sys.stdout.write('x' * (8 << 20))")))


_USERS = {
    "root": ["--uid", "0"],
    "root without capabilities": ["--uid", "0", "--drop", "ALL"],
    "nobody without namespaces": ["--uid", "65534", "--no-user-namespaces"],
    # As a container's --user may be.
    "a user without a name": ["--uid", "54321"],
}


@pytest.mark.parametrize("user", _USERS)
def test_any_user_may_migrate(tmp_path: Path, user: str) -> None:
    leave = _python("import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)")
    _works(_build(tmp_path, _psql("CREATE TABLE a (id int)"), leave, enclosure=_USERS[user]))


def test_root_in_a_container_may_migrate_with_what_only_root_may_read(tmp_path: Path) -> None:
    needs_all_ids()
    tmp_path.chmod(0o700)
    script = tmp_path / "schema.sql"
    script.write_text("CREATE TABLE a (id int);", "utf-8")
    script.chmod(0o600)
    migrator = _sh('"$1" -f app/schema.sql', [places.psql()]) | {"files": {"app/schema.sql": str(script)}}
    _works(
        _build(tmp_path, migrator, enclosure=["--all-ids", "--container"]).seed("seed.sql", "INSERT INTO a VALUES (1);")
    )


def test_a_tool_that_is_killed_leaves_no_migrator(tmp_path: Path) -> None:
    with _build(tmp_path, _sh("exec sleep 612")).start() as process:
        deadline = time.monotonic() + 60
        while b"sleep\x00612\x00" not in _command_lines():
            assert time.monotonic() < deadline
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 60
    while b"sleep\x00612\x00" in _command_lines():
        assert time.monotonic() < deadline
