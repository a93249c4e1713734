"""The template action: what it accepts, and what it says about a file that PostgreSQL refuses."""

from __future__ import annotations

import os
import select
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

from realservices.system.process_ids import descendants
from tests.host.real_root import needs_all_ids
from tests.services.template_tool import TemplateBuild

_DEADLINE_S = 60
TWO_TABLES = "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"


def _refusal(build: TemplateBuild) -> str:
    done = build.run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not build.archive.exists()
    return done.stderr


def test_a_syntax_error_is_shown_with_its_own_line_and_statement(tmp_path: Path) -> None:
    faulty = (
        TWO_TABLES + "\n-- the next one is wrong\nCREATE TABLE c (\n  id int,\n  name tetx nott null\n);\n" + TWO_TABLES
    )
    assert _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty)) == (
        "//app:db: PostgreSQL refused migration app/001.sql, line 7:\n"
        '    ERROR:  syntax error at or near "nott"\n'
        "    LINE 3:   name tetx nott null\n"
        "                        ^\n"
        "  in the statement:\n"
        "    CREATE TABLE c (\n"
        "      id int,\n"
        "      name tetx nott null\n"
        "    );\n"
    )


def test_a_run_time_error_is_shown_with_the_lines_of_its_statement(tmp_path: Path) -> None:
    faulty = TWO_TABLES + "INSERT INTO a\n  SELECT 1 /\n  0;\n"
    assert _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty)) == (
        "//app:db: PostgreSQL refused migration app/001.sql, lines 3-5:\n"
        "    ERROR:  division by zero\n"
        "  in the statement:\n"
        "    INSERT INTO a\n"
        "      SELECT 1 /\n"
        "      0;\n"
    )


def test_the_second_of_two_statements_on_a_line(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", "SELECT 1;\nSELECT 2; SELECT nope; SELECT 3;\n"))
    assert "refused migration app/001.sql, line 2:\n" in message
    assert 'column "nope" does not exist' in message
    assert "  in the statement:\n    SELECT nope;\n" in message


def test_notices_before_the_error_do_not_shift_its_line(tmp_path: Path) -> None:
    faulty = "DROP TABLE IF EXISTS gone;\nCREATE TABLE a (id int);\n\nSELECT nope;\n"
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty))
    assert "refused migration app/001.sql, line 4:\n" in message
    assert '    ERROR:  column "nope" does not exist\n' in message
    assert "NOTICE" not in message.partition("ERROR")[2]


def test_an_error_inside_of_a_function_is_not_given_a_wrong_line(tmp_path: Path) -> None:
    # The server's LINE counts within the query that the function ran, not within the file.
    faulty = "CREATE TABLE a (id int);\nDO $$\nBEGIN\n  PERFORM 1;\n  PERFORM nope();\nEND\n$$;\n"
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty))
    assert "refused migration app/001.sql, lines 2-7:\n" in message
    assert "function nope() does not exist" in message
    assert "inline_code_block line 4 at PERFORM" in message


def test_a_raised_exception_is_shown_with_its_context(tmp_path: Path) -> None:
    faulty = "DO $$\nBEGIN\n  RAISE NOTICE 'so far so good';\n  RAISE EXCEPTION 'no %', 'way' USING HINT = 'try this';\nEND\n$$;\n"
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty))
    assert "refused migration app/001.sql, lines 1-6:\n" in message
    assert "    ERROR:  no way\n    HINT:  try this\n" in message


def test_a_comment_before_the_statement_does_not_shift_its_line(tmp_path: Path) -> None:
    faulty = "SELECT 1;\n/* a\n   long\n   comment */\n-- and another\nSELECT\n  nope;\n"
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", faulty))
    assert "refused migration app/001.sql, line 7:\n" in message


def test_an_unknown_psql_command(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", "SELECT 1;\n\\nonsense\n"))
    assert "refused migration app/001.sql, line 2:\n" in message
    assert "invalid command \\nonsense" in message


def test_an_unfinished_quote_is_shown(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", "SELECT 1;\nSELECT 'unfinished;\nSELECT 2;\n"))
    assert "refused migration app/001.sql" in message
    assert "unterminated quoted string" in message


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "part.sql").write_text("SELECT 1;\nSELECT nope;\n", "utf-8")
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", "SELECT 1;\n\n\n\\ir part.sql\n"))
    assert f"refused migration app/001.sql, line 2 of {tmp_path}/part.sql, which it includes:\n" in message


def test_only_the_file_at_fault_is_named(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("001.sql", TWO_TABLES).migration("002.sql", "ALTER TABLE nope ADD x int;")
    message = _refusal(build.seed("seed.sql", "SELECT 1;"))
    assert "refused migration app/002.sql, line 1:\n" in message
    assert "001.sql" not in message
    assert 'relation "nope" does not exist' in message


def test_a_wrong_seed_is_called_a_seed(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("001.sql", TWO_TABLES)
    message = _refusal(build.seed("seed.sql", "COPY a (id) FROM stdin;\n1\nnot a number\n\\.\n"))
    assert "PostgreSQL refused seed app/seed.sql, line" in message
    assert 'invalid input syntax for type integer: "not a number"' in message
    assert "COPY a, line 2, column id" in message


def test_a_missing_extension(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).option("extension", "no_such_thing"))
    assert "//app:db: extension 'no_such_thing' (attribute extensions) cannot be created" in message
    assert 'extension "no_such_thing" is not available' in message
    assert "'no_such_thing' is not in this PostgreSQL; take one that has it (Debian: apt-get install " in message
    assert 'under Bazel: in MODULE.bazel realservices.postgres(path = "/usr/lib/postgresql/17")' in message
    assert "in plain pytest: REALSERVICES_POSTGRES=/usr/lib/postgresql/17 in the environment" in message


def test_a_migration_that_wants_a_missing_extension(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("001.sql", 'SELECT 1;\nCREATE EXTENSION "postgis";\n'))
    assert "refused migration app/001.sql, line 2" in message
    assert "'postgis' is not in this PostgreSQL; " in message
    assert "apt-get install postgresql-17-postgis-3" in message or "this machine has one with it in /usr/lib" in message


def test_a_library_to_preload_that_is_missing(tmp_path: Path) -> None:
    message = _refusal(TemplateBuild(tmp_path).option("setting", "shared_preload_libraries=no_such_library"))
    assert 'could not access file "no_such_library"' in message
    assert "'no_such_library' is not in this PostgreSQL" in message


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("work_mem=plenty", 'invalid value for parameter "work_mem": "plenty"'),
        ("no_such_setting=1", 'unrecognized configuration parameter "no_such_setting"'),
    ],
)
def test_a_bad_setting(tmp_path: Path, setting: str, words: str) -> None:
    message = _refusal(TemplateBuild(tmp_path).option("setting", setting))
    assert "the server ended with code 1 before it was ready" in message
    assert words in message
    name, _, value = setting.partition("=")
    assert message.endswith(f"\n  correct or remove it in settings: {name} = {value!r}\n")


def test_a_distribution_that_is_none(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path)
    build.distribution = tmp_path / "nothing"
    message = _refusal(build)
    assert f"cannot run {tmp_path}/nothing/bin/postgres: No such file or directory" in message
    assert "needs bin/postgres, bin/initdb and bin/psql" in message


@pytest.mark.parametrize("stream", ["1", "2"])
@pytest.mark.parametrize("when", ["--version", "--listen_addresses="])
def test_server_that_ends_early_is_quoted(tmp_path: Path, stream: str, when: str) -> None:
    build = TemplateBuild(tmp_path)
    # Not below tmp_path: the server runs as another user where this is root.
    with tempfile.TemporaryDirectory() as name:
        distribution = Path(name)
        distribution.chmod(0o755)
        (distribution / "bin").mkdir()
        for other in ("initdb", "psql"):
            (distribution / "bin" / other).symlink_to(build.distribution / "bin" / other)
        real, program = build.distribution / "bin" / "postgres", distribution / "bin" / "postgres"
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *{when}*) echo "cannot read the moon" >&{stream}; exit 3;; esac\nexec {real} "$@"\n'
        )
        program.chmod(0o755)
        build.distribution = distribution
        done = build.run()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ended with code 3" in done.stderr
    assert "cannot read the moon" in done.stderr


def test_a_chatty_server_does_not_stall_the_build(tmp_path: Path) -> None:
    # More than a pipe holds, on the server's standard error.
    chatty = "DO $$ BEGIN FOR i IN 1..300 LOOP RAISE LOG '%', repeat('x', 1000); END LOOP; END $$;\n"
    done = TemplateBuild(tmp_path).option("setting", "log_statement=all").migration("001.sql", chatty).run()
    assert done.returncode == 0, done.stderr


def test_statements_that_refuse_transactions(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration(
        "001.sql", TWO_TABLES + "CREATE INDEX CONCURRENTLY a_id ON a (id);\nVACUUM a;\n"
    )
    done = build.run()
    assert done.returncode == 0, done.stderr


def test_progress_is_told_where_it_is_wanted(tmp_path: Path) -> None:
    build = (
        TemplateBuild(tmp_path).migration("1.sql", "SELECT 1;\n").migration("2.sql", "\\set x 1\n").seed("3.sql", "")
    )
    done = build.flag("progress").run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "progress: file 1 of 3, app/1.sql",
        "progress: file 2 of 3, app/2.sql",
        "progress: file 3 of 3, app/3.sql",
        "progress: statistics, and the archive",
    ]


def test_the_archive_is_described_by_its_info(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("001.sql", TWO_TABLES)
    done = build.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    info = build.info
    assert info.keys() >= {"digest", "size_bytes", "copy_size_bytes", "server_version_num", "database"}
    assert (info["database"], info["template_database"]) == ("test", "realservices_template")
    with tarfile.open(build.archive) as tar:
        members = tar.getmembers()
    assert sum(member.size for member in members if member.isreg()) == info["size_bytes"]
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {(0, 0, "", 0)}
    names = [member.name for member in members]
    assert "PG_VERSION" in names
    assert not {"postmaster.pid", "postmaster.opts"} & set(names)


_USERS = {
    "root": ["--uid", "0"],
    "root without capabilities": ["--uid", "0", "--drop", "ALL"],
    "nobody": ["--uid", "65534"],
    "nobody without namespaces": ["--uid", "65534", "--no-user-namespaces"],
    # As a container's --user may be.
    "a user without a name": ["--uid", "54321"],
}


@pytest.mark.parametrize("from_nothing", [False, True])
@pytest.mark.parametrize("user", _USERS)
def test_any_user_may_build(tmp_path: Path, user: str, from_nothing: bool) -> None:
    build = TemplateBuild(tmp_path, enclosure=_USERS[user], from_nothing=from_nothing)
    done = build.migration("001.sql", TWO_TABLES).run()
    assert done.returncode == 0, done.stderr


def test_root_that_cannot_become_another_user_is_told_why(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path, enclosure=["--container", "--drop", "SETUID", "--drop", "SETGID"])
    done = build.migration("001.sql", TWO_TABLES).run()
    assert done.returncode == 1
    assert done.stderr.startswith("//app:db: PostgreSQL refuses to run as root; there is no user namespace (")
    assert "root cannot become another user without the capabilities SETGID, SETUID. Either run" in done.stderr


def test_a_user_without_a_name_is_told_what_to_do(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path, enclosure=["--uid", "54321", "--no-user-namespaces"], from_nothing=True)
    done = build.migration("001.sql", TWO_TABLES).run()
    assert done.returncode == 1
    assert "initdb wants a name for user 54321: add one to /etc/passwd" in done.stderr


def test_root_in_a_container_keeps_what_it_builds(tmp_path: Path) -> None:
    needs_all_ids()
    # Where only root may look, and read.
    tmp_path.chmod(0o700)
    build = TemplateBuild(tmp_path, enclosure=["--all-ids", "--container"]).migration("001.sql", TWO_TABLES)
    (tmp_path / "001.sql").chmod(0o600)
    done = build.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.stat().st_uid for path in (build.archive, build.info_file)} == {0}


def test_full_shared_memory_is_no_obstacle(tmp_path: Path) -> None:
    enclosure = ["--ipc", "--tmpfs", "/dev/shm=1m", "--fill", "/dev/shm"]
    done = TemplateBuild(tmp_path, enclosure=enclosure).migration("001.sql", TWO_TABLES).run()
    assert done.returncode == 0, done.stderr


_AVAILABLE_KB = {"little": 2_200_000, "hardly any": 100_000}


@pytest.mark.parametrize(("memory", "runs"), [("little", 2), ("hardly any", 1)])
def test_what_does_not_fit_in_memory_is_built_on_the_disk(tmp_path: Path, memory: str, runs: int) -> None:
    told, ran = tmp_path / "meminfo", tmp_path / "ran"
    told.write_text(f"MemTotal: 32000000 kB\nMemAvailable: {_AVAILABLE_KB[memory]} kB\n")
    fills = f"COPY (SELECT 1) TO PROGRAM 'echo >> {ran}; head -c 300000000 /dev/zero > filler; cat > /dev/null';\n"
    build = TemplateBuild(tmp_path, enclosure=["--uid", "65534", "--bind", f"{told}=/proc/meminfo"])
    build.migration("1.sql", fills).migration("2.sql", "CREATE TABLE a AS SELECT generate_series(1, 100000);\n")
    done = build.migration("3.sql", "COPY (SELECT 1) TO PROGRAM 'rm filler; cat > /dev/null';\n").run()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ran.read_text().splitlines()) == runs


@pytest.mark.parametrize("sql", [TWO_TABLES, "SELECT nope;"], ids=["accepted", "refused"])
def test_nothing_is_left_outside_of_the_outputs(tmp_path: Path, sql: str) -> None:
    work = tmp_path / "tmp"
    work.mkdir()
    build = TemplateBuild(tmp_path, enclosure=["--ipc", "--bind", f"{work}=/tmp", "--tmpfs", "/dev/shm"])
    build.migration("001.sql", sql).run()
    # The user's own directory, and perhaps an empty one on which the enclosure has shown what the tool needs.
    assert f"realservices-{os.geteuid()}" in os.listdir(work)
    assert [name for path in work.iterdir() for name in os.listdir(path)] == []


def test_a_tool_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("001.sql", "SELECT pg_sleep(60);")
    with build.start() as process:
        server = _await_server(process.pid)
        process.kill()
        process.communicate()
        poll = select.poll()
        poll.register(server, select.POLLIN)
        assert poll.poll(_DEADLINE_S * 1000), "the server still runs"
        os.close(server)


def _await_server(pid: int) -> int:
    """Return a descriptor of the server that a tool runs, as soon as its migrations are applied."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        words = {child: _command_line(child) for child in descendants(pid)}
        if any(b"-f" in each for each in words.values()):  # psql, with a file.
            # Its children come later: for a moment, a new one has the server's words.
            return os.pidfd_open(next(child for child, each in words.items() if b"-D" in each))
    raise AssertionError("no migration was applied")


def _command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []  # Gone meanwhile.
