"""Sessions that start their services themselves: runs of plain pytest, with servers of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from realservices.host.scratch import scratch_base

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

_PAIRS = Path(__file__).parents[1] / "isolation" / "test_pairs.py"
_OURS = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
_XDIST = ("-p", "xdist.plugin", "-n2")
_DEADLINE_S = 10.0


@pytest.fixture(autouse=True)
def _own_programs(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runfiles = Path(os.environ["RUNFILES_DIR"])
    alone.setenv("REALSERVICES_POSTGRES", str(runfiles / os.environ["POSTGRES_DISTRIBUTION"]))
    alone.setenv("REALSERVICES_REDIS", str(runfiles / os.environ["REDIS_SERVER"]))
    alone.setenv("XDG_CACHE_HOME", os.environ["TEST_TMPDIR"])


def _own_limit() -> str:
    """Return this process's mark, which a launcher may have given it."""
    return Path("/proc/self/limits").read_text("ascii").partition("Max file locks")[2].split(None, 1)[0]


def _processes() -> list[str]:
    """Return the processes that run sessions' services, and the services, which bear the mark of one of those."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes()
            limit = (directory / "limits").read_text("ascii").partition("Max file locks")[2].split(None, 1)[0]
        except (OSError, IndexError):
            continue  # Gone meanwhile.
        if (limit != _own_limit() and limit != "unlimited") or b"\0serve\0" in words:
            found.append(directory.name)
    return found


def _left() -> list[str]:
    return [*_processes(), *map(str, Path("/tmp").glob("realservices-*/session.*"))]


def _wait_until_nothing_is_left() -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while _left() and time.monotonic() < deadline:
        Event().wait(0.01)
    assert _left() == []


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_the_same_tests_pass_and_leave_nothing(pytester: pytest.Pytester, run: Run, arguments: tuple[str, ...]) -> None:
    pytester.makepyfile(test_pairs=_PAIRS.read_text(encoding="utf-8"))
    run(*arguments).assert_outcomes(passed=36)
    assert _left() == []


_SETTINGS = """
import os
URL = os.environ["SQLALCHEMY_URL"]
HOST = os.environ["PGHOST"]
"""


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_names_of_the_projects_own_are_there_before_its_settings_are_imported(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    pytester.makefile(
        ".toml",
        realservices="""
        services.db = { kind = "postgres" }
        env = { SQLALCHEMY_URL = "$(url db psycopg)", PGHOST = "$(host db)" }
        """,
    )
    pytester.makepyfile(settings=_SETTINGS, conftest="import settings")
    pytester.makepyfile(
        test_settings="""
        import os, settings
        def test_settings():
            assert settings.URL == os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
            assert settings.HOST == "127.0.0.1"
        """
    )
    monkeypatch.setenv("PGHOST", "developers.example")
    run(*arguments).assert_outcomes(passed=1)
    assert os.environ["PGHOST"] == "developers.example"
    assert _left() == []


_MIGRATES = """
import asyncpg, os, pytest

@pytest.mark.parametrize("n", range(2))
async def test_migrates(n, isolated_database, worker_id):
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute("CREATE TABLE made_by_the_application (value int)")
    await connection.close()
    assert name == os.environ["TEST_POSTGRES_DB"] == os.environ["OWN"]
    assert worker_id in name
    assert await isolated_database.fetchval("SELECT to_regclass('made_by_the_application')") is None
"""


def test_each_worker_has_a_database_of_its_own_for_programs(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", realservices='services.db.kind = "postgres"\nenv.OWN = "$(database db)"')
    pytester.makepyfile(test_migrates=_MIGRATES)
    run(*_XDIST, "--dist=each", "-k0").assert_outcomes(passed=2)
    assert _left() == []


def test_each_worker_has_a_redis_of_its_own(pytester: pytest.Pytester, run: Run) -> None:
    for name in ("meeting", "test_workers_own"):
        text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        pytester.makepyfile(**{name: text.replace("from tests.sources.meeting", "from meeting")})
    pytester.makefile(
        ".toml",
        realservices="""
        services = { db = { kind = "postgres" }, cache = { kind = "redis" } }
        env.BOTH = "$(url db) $(url cache)"
        """,
    )
    run(*_XDIST, "--dist=each").assert_outcomes(passed=6)
    assert _left() == []


def test_workers_share_the_redis_that_servers_have(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(
        ".toml",
        realservices="""
        [services.cache]
        kind = "redis"
        [services.server]
        kind = "executable"
        command = ["{python}", "-m", "http.server", "--bind", "127.0.0.1", "$(port)"]
        services = ["cache"]
        """,
    )
    pytester.makepyfile(
        test_shares="""
        import os, redis
        from pathlib import Path
        from threading import Event
        def test_shares(isolated_redis_sync, worker_id):
            with redis.Redis.from_url(os.environ["REDIS_URL"]) as program:
                program.sadd("workers", worker_id)
                for _ in range(1000):
                    if program.scard("workers") == 2:
                        return
                    Event().wait(0.01)
            raise AssertionError("the other worker's entry never came")
        """
    )
    run(*_XDIST, "--dist=each").assert_outcomes(passed=2)


def test_workers_share_the_database_that_servers_have(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(
        ".toml",
        realservices="""
        [services.db]
        kind = "postgres"
        [services.server]
        kind = "executable"
        command = ["{python}", "-m", "http.server", "--bind", "127.0.0.1", "$(port)"]
        services = ["db"]
        """,
    )
    pytester.makepyfile(
        test_shares="""
        import os
        def test_shares(isolated_database_sync): assert os.environ["TEST_POSTGRES_DB"] == "test"
        """
    )
    run(*_XDIST, "--dist=each").assert_outcomes(passed=2)


_WIDER = """
import asyncpg, asyncio, os, pytest

async def _change(*statements):
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    for statement in statements:
        await connection.execute(statement)
        await asyncio.sleep(0.02)
    await connection.close()

@pytest.fixture(scope="session")
def application(worker_id):
    name = f"application_{worker_id}"
    asyncio.run(_change(f"CREATE ROLE {name}", f"CREATE DATABASE {name}"))
    yield name
    asyncio.run(_change(f"DROP DATABASE {name}", f"DROP ROLE {name}"))

@pytest.mark.parametrize("n", range(20))
def test_each_leaves_a_role(n, request, cloned_database):
    name = request.getfixturevalue("application") if n > 3 else None
    connection = cloned_database.connect_sync()
    if name:
        assert connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", name) == 1
        assert connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1
    connection.execute("CREATE TABLE own ()")
    connection.execute(f"CREATE ROLE left_{n}")  # So that the server is restored after it.
    connection.close()
"""


@pytest.mark.parametrize("arguments", [("-p", "xdist.plugin", "-n0"), _XDIST])
def test_what_fixtures_of_a_wider_scope_make_in_the_server_stays(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    pytester.makefile(".toml", realservices='services.db.kind = "postgres"')
    pytester.makepyfile(test_wider=_WIDER)
    monkeypatch.setenv("REALSERVICES_EAGER", "1")
    run(*arguments).assert_outcomes(passed=20)
    assert _left() == []


def test_variables_are_as_before_when_the_session_has_ended(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makefile(".toml", realservices='services.db.kind = "postgres"\nenv.DATABASE_URL = "$(url db psycopg)"')
    monkeypatch.setenv("DATABASE_URL", "the developer's")
    script = """
    import os
    from realservices.sources.services import find_services
    services = find_services()
    services.start()
    print(os.environ["DATABASE_URL"].partition(":")[0])
    services.close()
    print(os.environ["DATABASE_URL"], "PGPORT" in os.environ, "TEST_POSTGRES_DB" in os.environ)
    """
    done = pytester.runpython_c(textwrap.dedent(script))
    assert done.outlines == ["postgresql+psycopg", "the developer's False False"]


def test_a_faulty_declaration_is_told_to_tests_that_use_no_fixture(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", realservices='services.db.kind = "postgres"\nenv.DATABASE_URL = "$(url db gres)"')
    pytester.makepyfile("def test_it(): raise AssertionError('without its variables')")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *realservices.toml: env DATABASE_URL: $(url db gres)*"])


def test_what_is_not_used_is_not_started(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        test_files="""
        import os, sys
        async def test_files(filesystem):
            await filesystem.create_file("a")
            assert "REALSERVICES_SESSION" not in os.environ
            assert not {"asyncpg", "redis", "realservices.sources.entries"} & set(sys.modules)
    """
    )
    pytester.makepyfile(
        test_redis="""
        import os
        async def test_redis(isolated_redis, service_control):
            assert list(await service_control.status()) == ["redis"]
            assert os.environ["REDIS_URL"].startswith("redis://:")
            assert "DATABASE_URL" not in os.environ
    """
    )
    run("test_files.py").assert_outcomes(passed=1)
    run("test_redis.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_a_killed_session_leaves_nothing(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    pytester.makepyfile("""
        import os, signal
        async def test_end(isolated_database, isolated_redis):
            pid = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            os.kill(pid, signal.SIGKILL)
    """)
    command = [sys.executable, "-m", "pytest", *_OURS, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == -9
    _wait_until_nothing_is_left()


def test_what_a_session_left_before_it_started_anything_goes_with_the_next(pytester: pytest.Pytester, run: Run) -> None:
    # As after SIGKILL of pytest-xdist's controller in a run that uses no service.
    abandoned = Path(scratch_base(), "session.000000000000")
    abandoned.mkdir(0o700)
    os.mkfifo(abandoned / "alive")
    pytester.makepyfile("async def test_it(isolated_redis): pass")
    run().assert_outcomes(passed=1)
    assert not abandoned.exists()


def test_faults_on_demand(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest, redis
        async def test_outage(service_control, isolated_redis):
            await service_control.stop("redis")
            with pytest.raises(redis.ConnectionError):
                await isolated_redis.ping()

        async def test_later(isolated_redis):
            assert await isolated_redis.ping()
    """)
    run().assert_outcomes(passed=2)


def test_faults_of_what_is_not_there_or_is_others_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        async def test_outage(service_control, isolated_redis):
            await service_control.stop("cache")
    """)
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * no service 'cache'; this test has redis; one that is declared starts when a test first uses it"]
    )
    result = run(*_XDIST)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "service_control would make services fail for all 2 pytest-xdist workers; run this test without -n: pytest "
            "'test_faults_of_what_is_not_there_or_is_others_too.py::test_outage'"
        ]
    )


@pytest.mark.parametrize("arguments", [(), _XDIST])
@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("warm = 'yes'", {}, "*/pyproject.toml: warm = 'yes'; it is true or false"),
        ("", {"REALSERVICES_WARM": "maybe"}, "REALSERVICES_WARM='maybe'; it is one of 1, true, 0, false"),
    ],
)
def test_a_mistake_in_the_settings_ends_the_run_before_any_test(
    pytester: pytest.Pytester,
    run: Run,
    alone: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    text: str,
    environment: dict[str, str],
    message: str,
) -> None:
    pytester.makefile(".toml", pyproject=f"[tool.realservices]\n{text}\n")
    pytester.makepyfile("def test_it(filesystem_sync): pass")
    for name, value in environment.items():
        alone.setenv(name, value)
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


_NOTES = """
import asyncio, sys
import asyncpg

async def serve(port, url):
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY)")

    async def answer(reader, writer):
        if not await reader.readline():  # Only looked whether the port is open.
            return writer.close()
        count = await connection.fetchval("WITH new AS (INSERT INTO notes DEFAULT VALUES) SELECT count(*) FROM notes")
        writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n%d" % count)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
        await server.serve_forever()

asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
"""
_NOTES_TESTS = """
async def test_database(comprehensive_test_environment):
    await comprehensive_test_environment["database"].execute("CREATE TEMP TABLE mine ()")

async def test_served(comprehensive_test_environment):
    assert (await comprehensive_test_environment["http"].get("/")).text == "0"

async def test_served_again(comprehensive_test_environment):
    assert (await comprehensive_test_environment["http"].get("/")).text == "0"
    assert await comprehensive_test_environment["database"].fetchval("SELECT count(*) FROM notes") == 1
"""


def test_what_a_server_writes_at_its_start_stays_whichever_test_comes_first(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makefile(
        ".toml",
        realservices=f"""
        [services.db]
        kind = "postgres"
        [services.notes]
        kind = "executable"
        command = ["{{python}}", "notes.py", "$(port)", "$(url db)"]
        env = {{ PYTHONPATH = "{os.pathsep.join(sys.path)}" }}
        services = ["db"]
        [services.broken]
        kind = "executable"
        command = ["{{python}}", "-c", "raise SystemExit(1)"]
        services = ["db"]
        """,
    )
    pytester.makepyfile(notes=_NOTES, test_notes=_NOTES_TESTS)
    run().assert_outcomes(passed=3)
    assert _left() == []


def test_a_service_that_does_not_start_is_told_once(pytester: pytest.Pytester, run: Run) -> None:
    services = '[services.a]\nkind = "postgres"\nmigrations = ["none.sql"]\n'
    pytester.makefile(".toml", realservices=services)
    pytester.makepyfile("async def test_it(isolated_database): pass")
    result = run()
    result.assert_outcomes(errors=1)
    lines = [line for line in result.outlines if "matches no file below" in line]
    assert [line for line in lines if not line.startswith("ERROR ")] == lines[:1]
    assert "another exception" not in result.stdout.str()


def test_real_services_without_those_that_they_are_for(pytester: pytest.Pytester, run: Run) -> None:
    command = '["{python}", "-m", "http.server", "--bind", "127.0.0.1", "$(port http)"]'
    services = f'[services.auth]\nkind = "executable"\ncommand = {command}\nready = {{ http = "/" }}\n'
    pytester.makefile(".toml", realservices=services)
    pytester.makepyfile("async def test_it(real_services): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "the fixture real_services is for a project with the services 'auth' and 'backend': no service 'backend' in *; "
            "there are auth. * For others a conftest.py has one of its own, with TestClientFactory(*)"
        ]
    )


_SCHEMA = """
[tool.realservices.services.db]
kind = "postgres"
migrations = ["*.sql"]
extensions = ["pg_trgm"]
settings = { work_mem = "5MB" }
user = "app"
database = "shop"
"""


def test_declared_schema(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);", "002": "INSERT INTO users VALUES ('Ada');"})
    pytester.makepyfile("""
        import os
        async def test_rows(isolated_database):
            assert await isolated_database.fetchval("SELECT name FROM users") == "Ada"
            assert await isolated_database.fetchval("SHOW work_mem") == "5MB"
            assert await isolated_database.fetchval("SELECT similarity('a', 'a')") == 1
            assert os.environ["DATABASE_URL"].startswith("postgresql://app:")
            assert os.environ["REALSERVICES_DB_URL"].endswith("/shop")
    """)
    run().assert_outcomes(passed=1)


def test_the_project_is_found_from_a_directory_with_settings_of_its_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"1": "CREATE TABLE pairs (a text);"})
    tests = pytester.mkdir("tests")
    (tests / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tests / "test_it.py").write_text(
        "async def test_it(isolated_database): await isolated_database.execute('SELECT a FROM pairs')", encoding="utf-8"
    )
    run("tests").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("top", "says"),
    [
        ("", "no declaration, as there is none in *"),
        ("[tool.realservices]\nisolation = 'database'\n", "what */pyproject.toml says*"),
    ],
)
def test_a_declaration_below_the_project_is_not_ignored_without_a_word(
    pytester: pytest.Pytester, run: Run, top: str, says: str
) -> None:
    pytester.makefile(".toml", pyproject=top)
    for name in ("used", "unused"):
        (pytester.mkdir(name) / "pyproject.toml").write_text(_SCHEMA, encoding="utf-8")
        (pytester.path / name / "tests").mkdir()
    uses = "async def test_it(isolated_database): pass\nasync def test_too(isolated_database): pass\n"
    (pytester.path / "used" / "tests" / "test_a.py").write_text(uses, encoding="utf-8")
    (pytester.path / "used" / "test_b.py").write_text(uses, encoding="utf-8")
    (pytester.path / "unused" / "test_c.py").write_text("def test_it(): pass\n", encoding="utf-8")
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    result = run("-W", "default", f"--rootdir={pytester.path}", ".")
    result.assert_outcomes(passed=6, warnings=1)
    result.stdout.fnmatch_lines([f"*/used/pyproject.toml declares services*does not read it: it has {says}"])


def test_a_migration_that_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);\nCREATE TABLE users (name text);"})
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pyproject.toml: service 'db'*refused migration 001.sql, line 2*"])


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "role = app_role"])
def test_a_server_starts_whatever_the_schema_has_set_for_its_sessions(
    pytester: pytest.Pytester, run: Run, setting: str
) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    schema = "CREATE TABLE a (x int);\nCREATE ROLE app_role;\nGRANT ALL ON a TO app_role;\n"
    changed = f'ALTER DATABASE :"DBNAME" SET {setting};'
    pytester.makefile(".sql", **{"001": schema + changed})
    name, _, value = setting.partition(" = ")
    pytester.makepyfile(f"""
        async def test_first(isolated_database):
            assert await isolated_database.fetchval("SHOW {name}") == "{value}"
        async def test_second(cloned_database):
            connection = await cloned_database.connect()
            assert await connection.fetchval("SHOW {name}") == "{value}"
    """)
    run().assert_outcomes(passed=2)


_RIGHTS = """
CREATE ROLE keeper; CREATE ROLE guest LOGIN PASSWORD 'a'; CREATE ROLE stranger LOGIN PASSWORD 'a';
ALTER DATABASE :"DBNAME" OWNER TO keeper;
ALTER DATABASE :"DBNAME" CONNECTION LIMIT 7;
REVOKE CONNECT, TEMP ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO guest WITH GRANT OPTION;
"""


def test_rights_to_the_database_are_those_that_the_schema_gives(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"001": _RIGHTS})
    pytester.makepyfile("""
        import os

        import asyncpg
        import pytest

        OWN = "FROM pg_database WHERE datname = current_database()"
        MORE_THAN_ARE_READY = 6

        async def look(connection):
            assert await connection.fetchval(f"SELECT datdba::regrole::text {OWN}") == "keeper"
            assert await connection.fetchval(f"SELECT datconnlimit {OWN}") == 7
            acl = await connection.fetchval(f"SELECT datacl::text {OWN}")
            assert acl == "{keeper=CTc/keeper,guest=C*c*/keeper}"

        @pytest.mark.parametrize("number", range(MORE_THAN_ARE_READY))
        async def test_a_clone(cloned_database, number):
            await look(await cloned_database.connect())
            place = cloned_database.url.partition("@")[2]
            guest = await asyncpg.connect(f"postgresql://guest:a@{place}")
            await guest.execute("CREATE SCHEMA apps")
            await guest.close()
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(f"postgresql://stranger:a@{place}")

        async def test_a_transaction(isolated_database):
            await look(isolated_database)

        async def test_the_one_for_programs(isolated_database):
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            await look(connection)
            await connection.close()

        @pytest.mark.parametrize("number", range(2))
        async def test_what_a_test_changes_is_undone(cloned_database, number):
            connection = await cloned_database.connect()
            await look(connection)
            await connection.execute("DROP OWNED BY guest; REASSIGN OWNED BY keeper TO stranger; CREATE TABLE more (x int)")
    """)
    run().assert_outcomes(passed=10)
    run(*_XDIST, "-k", "not undone").assert_outcomes(passed=8)


_LOGIN_TRIGGER = """
CREATE TABLE logins (name text);
CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO logins VALUES (session_user); END $$;
CREATE EVENT TRIGGER note_login ON login EXECUTE FUNCTION note_login();
"""


def test_triggers_of_the_schema_see_the_logins_of_a_test_and_no_others(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"001": _LOGIN_TRIGGER})
    pytester.makepyfile("""
        import asyncpg
        import pytest

        @pytest.mark.parametrize("logins", [1, 2])
        async def test_own(cloned_database, logins):
            for _ in range(logins):
                connection = await asyncpg.connect(cloned_database.url)
                seen = await connection.fetchval("SELECT count(*) FROM logins")
                await connection.close()
            assert seen == logins
    """)
    run().assert_outcomes(passed=2)


def test_migrations_that_are_not_there(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*migrations = '[*].sql' matches no file below*"])


def test_a_name_that_no_service_has_is_no_reason_to_skip(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"1": "CREATE TABLE pairs (a text);"})
    pytester.makepyfile("""
        import pytest

        @pytest.mark.realservices(postgres="dbb")
        def test_rows(isolated_database_sync): pass
    """)
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*realservices(postgres='dbb'): there is no postgres service of this name here; there is db*"]
    )


def test_a_cache_that_cannot_be_written_to(pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch) -> None:
    alone.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*no room for a template in /proc/nowhere/rules_realservices/templates: *set XDG_CACHE_HOME to a directory*"]
    )


def test_an_interpreter_that_does_not_start(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest("import sys; sys.executable = '/nowhere/python'")
    pytester.makefile(".toml", pyproject=_SCHEMA)
    pytester.makefile(".sql", **{"1": "CREATE TABLE made_by_no_other_test (a text);"})
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the template tool (/nowhere/python) does not start: No such file or directory*"])


def test_a_user_without_a_home(pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch) -> None:
    # As in a container that is run as another user than its image's.
    _without_a_home(alone, pytester.path)
    pytester.makepyfile("async def test_rows(isolated_database): await isolated_database.execute('SELECT 1')")
    run().assert_outcomes(passed=1)
    own = pytester.path / f"realservices-{os.geteuid()}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert len(list(own.glob("schemas/*/base.tar"))) == 1


def test_what_another_user_has_put_there_is_passed_over(
    pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _without_a_home(alone, pytester.path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (pytester.path / f"realservices-{os.geteuid()}").symlink_to(elsewhere)
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    run().assert_outcomes(passed=1)
    assert list(elsewhere.iterdir()) == []
    assert len(list(pytester.path.glob("realservices-*-1/schemas/*/base.tar"))) == 1


def test_a_home_that_is_not_there_is_not_made(pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch) -> None:
    _without_a_home(alone, pytester.path)
    home = pytester.path / "nonexistent"
    alone.setenv("HOME", str(home))
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    run().assert_outcomes(passed=1)
    assert not home.exists()


def _without_a_home(alone: pytest.MonkeyPatch, temporary: Path) -> None:
    alone.delenv("XDG_CACHE_HOME")
    alone.setenv("HOME", "/proc/nowhere")
    alone.setenv("TMPDIR", str(temporary))


def test_services_before_the_first_import(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\nrealservices_services = redis\n")
    pytester.makeconftest("import os\nassert os.environ['REDIS_URL']\nassert 'DATABASE_URL' not in os.environ\n")
    pytester.makepyfile("def test_it(): pass")
    run().assert_outcomes(passed=1)
    run(*_XDIST).assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nrealservices_services = rabbit\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*realservices_services names 'rabbit'; the project has clickhouse, postgres, redis*"])


def test_servers_of_the_users_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(
        ".toml",
        pyproject="""
        [tool.realservices.services.web]
        kind = "executable"
        command = ["{python}", "-S", "-m", "echo", "$(port http)", "$(url redis)"]
        services = ["redis"]
        ready = { http = "/health" }
        [tool.realservices.services.redis]
        kind = "redis"
    """,
    )
    pytester.makepyfile(
        echo="""
        import http.server, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(sys.argv[2].encode())
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
    """
    )
    pytester.makepyfile(
        test_web="""
        import urllib.request
        from realservices.sources.services import find_services
        def test_web():
            services = find_services()
            endpoint = services.endpoint("executable", "web")
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(endpoint.url) as answer:
                assert answer.read().decode() == services.endpoint("redis").url
            services.close()
    """
    )
    run().assert_outcomes(passed=1)
    assert _left() == []


def test_sessions_that_need_the_same_new_template_build_it_once(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA.replace("5MB", "6MB"))
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);"})
    pytester.makepyfile(
        "async def test_rows(isolated_database): assert await isolated_database.fetch('TABLE users') == []"
    )
    before = set(Path(os.environ["XDG_CACHE_HOME"]).glob("rules_realservices/templates/*/base.tar"))
    command = [sys.executable, "-m", "pytest", *_OURS]
    sessions = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for session in sessions:
        output, _ = session.communicate(timeout=60)
        assert "1 passed" in output
    after = set(Path(os.environ["XDG_CACHE_HOME"]).glob("rules_realservices/templates/*/base.tar"))
    assert len(after - before) == 1
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).glob("rules_realservices/templates/*.partial"))


def test_a_template_that_lost_a_file_is_built_again_and_what_was_left_is_removed(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makefile(".toml", pyproject=_SCHEMA.replace("5MB", "7MB"))
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);"})
    pytester.makepyfile(
        "async def test_rows(isolated_database): assert await isolated_database.fetch('TABLE users') == []"
    )
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "rules_realservices" / "templates"
    before = set(cache.glob("*/base.tar")) if cache.exists() else set()
    run().assert_outcomes(passed=1)
    (base,) = set(cache.glob("*/base.tar")) - before
    for lost in (base, base.with_name("template.json")):
        lost.unlink()
        # Of a session that was killed while it built a schema which nobody has any more.
        (cache / "abcdef.12.partial").mkdir()
        (cache / "abcdef.building").touch()
        run().assert_outcomes(passed=1)
        assert lost.exists()
        assert not list(cache.glob("abcdef*"))


def test_the_cache_keeps_to_its_size(pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch) -> None:
    alone.setenv("REALSERVICES_CACHE_MB", "1")
    alone.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);"})
    pytester.makepyfile("async def test_rows(isolated_database): pass")
    for size in ("7MB", "8MB"):
        pytester.makefile(".toml", pyproject=_SCHEMA.replace("5MB", size))
        run().assert_outcomes(passed=1)
    # Of the empty template, which they begin from: that may stay, too.
    assert len(list((pytester.path / "cache").rglob("base.tar"))) == 1


def test_a_script_is_a_session(pytester: pytest.Pytester) -> None:
    script = pytester.makepyfile(
        health="""
        import asyncio
        from realservices.real_services import get_real_services
        health = asyncio.run(get_real_services().ensure_all_services_available())
        print(sorted(each.name for each in health.values() if each.is_available))
    """
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "['postgres', 'redis']\n"), done.stderr
    assert _left() == []


def test_a_script_is_told_what_is_missing(pytester: pytest.Pytester, alone: pytest.MonkeyPatch) -> None:
    alone.setenv("TEST_REDIS_HOST", "127.0.0.1")
    alone.setenv("TEST_REDIS_PORT", "1")
    pytester.makefile(".toml", pyproject='[tool.realservices.services.db]\nkind = "postgres"\nseeds = ["no.sql"]\n')
    program = "import asyncio, realservices.real_services as r\nasyncio.run(r.get_real_services().ensure_all_services_available())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "2 of the services are not available" in done.stderr
    assert "redis: TEST_REDIS_HOST names a redis service at 127.0.0.1:1" in done.stderr
    assert "db: " in done.stderr
    assert "seeds = 'no.sql' matches no file" in done.stderr


def test_an_environment_has_what_there_is_a_program_for(
    pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch
) -> None:
    alone.setenv("PATH", str(pytester.path))
    alone.delenv("REALSERVICES_CLICKHOUSE", raising=False)
    pytester.makepyfile("""
        async def test_keys(comprehensive_test_environment):
            keys = list(comprehensive_test_environment)
            assert "redis" in keys
            assert "database" in keys
            assert "clickhouse" not in keys
    """)
    run().assert_outcomes(passed=1)
