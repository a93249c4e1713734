"""Whole sessions on servers that somebody else runs: nothing is left there, and no two of them meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sources.servers import SESSIONS_DATABASES, query, redis_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint

    Run = Callable[..., pytest.RunResult]

_PAIRS = Path(__file__).parents[1] / "isolation" / "test_pairs.py"
_OURS = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
_PASSED = "36 passed"


async def _look_for_leftovers(postgres: Endpoint, redis: Endpoint) -> None:
    assert await query(postgres, SESSIONS_DATABASES) == 0
    with redis_client(redis) as client:
        assert client.keys("realservices:*") == []
        assert [user for user in client.acl_users() if user.startswith("realservices-")] == []
        assert [name for name in client.info("keyspace") if name != "db0"] == []
    assert list(Path("/tmp").glob("realservices-*/session.*")) == []


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.usefixtures("external")
async def test_the_same_tests_pass_and_leave_nothing(
    pytester: pytest.Pytester, run: Run, launched_postgres: Endpoint, launched_redis: Endpoint, workers: int
) -> None:
    pytester.makepyfile(test_pairs=_PAIRS.read_text(encoding="utf-8"))
    arguments = ("-p", "xdist.plugin", f"-n{workers}") if workers else ()
    run(*arguments).assert_outcomes(passed=36)
    await _look_for_leftovers(launched_postgres, launched_redis)


@pytest.mark.usefixtures("external")
async def test_sessions_at_once_never_meet(
    pytester: pytest.Pytester, launched_postgres: Endpoint, launched_redis: Endpoint
) -> None:
    pytester.makepyfile(test_pairs=_PAIRS.read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "pytest", *_OURS]
    sessions = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for session in sessions:
        output, _ = session.communicate(timeout=60)
        assert _PASSED in output
    await _look_for_leftovers(launched_postgres, launched_redis)


async def test_what_ci_has_prepared_is_there_and_stays_as_it_was(
    pytester: pytest.Pytester, run: Run, external: pytest.MonkeyPatch, launched_postgres: Endpoint
) -> None:
    await query(launched_postgres, "CREATE DATABASE prepared", "SELECT 1")
    fill = "CREATE TABLE users AS SELECT 'Ada' AS name"
    await query(launched_postgres, fill, "SELECT 1", database="prepared")
    external.setenv("TEST_POSTGRES_DB", "prepared")
    pytester.makepyfile("""
        async def test_rows(isolated_database):
            assert await isolated_database.fetchval("SELECT name FROM users") == "Ada"
            await isolated_database.execute("INSERT INTO users VALUES ('Bob')")

        async def test_clone(cloned_database):
            connection = await cloned_database.connect()
            await connection.execute("DROP TABLE users")
    """)
    run().assert_outcomes(passed=2)
    assert await query(launched_postgres, "SELECT string_agg(name, ',') FROM users", database="prepared") == "Ada"


_DECLARED = """
[tool.realservices.services.db]
kind = "postgres"
extensions = ["pg_trgm"]
migrations = ["*.sql"]
"""


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist.plugin", "-n2")])
async def test_declared_migrations_make_a_database_of_the_sessions_own(
    pytester: pytest.Pytester,
    run: Run,
    external: pytest.MonkeyPatch,
    launched_postgres: Endpoint,
    arguments: tuple[str, ...],
) -> None:
    runfiles = Path(os.environ["RUNFILES_DIR"])
    external.setenv("REALSERVICES_POSTGRES", str(runfiles / os.environ["POSTGRES_DISTRIBUTION"]))
    pytester.makefile(".toml", pyproject=_DECLARED)
    pytester.makefile(".sql", **{"001": "CREATE TABLE users (name text);"})
    (pytester.path / "002.sql").write_text("COPY users FROM stdin;\nAda\n\\.\n", encoding="utf-8")
    pytester.makepyfile("""
        async def test_rows(isolated_database):
            assert await isolated_database.fetchval("SELECT name FROM users WHERE similarity(name, 'Ada') = 1") == "Ada"

        async def test_clone(cloned_database):
            assert await (await cloned_database.connect()).fetchval("SELECT name FROM users") == "Ada"
    """)
    run(*arguments).assert_outcomes(passed=2)
    assert await query(launched_postgres, SESSIONS_DATABASES) == 0
    pytester.makefile(".sql", **{"003": "CREATE TABLE users ();"})
    result = run(*arguments)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*service 'db': PostgreSQL at 127.0.0.1:* refused *003.sql*", "*already exists*"])
    pytester.makefile(".sql", **{"003": "\\ir 002.sql"})
    result = run(*arguments)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*service 'db': PostgreSQL at 127.0.0.1:*: 002.sql is included by 003.sql*"])
    assert await query(launched_postgres, SESSIONS_DATABASES) == 0


async def test_numbers_of_others_stay_as_they_were(
    pytester: pytest.Pytester, run: Run, external: pytest.MonkeyPatch, launched_redis: Endpoint
) -> None:
    assert external
    for number in (0, 1, 2):
        with redis_client(launched_redis, number) as client:
            client.set("theirs", number)
    pytester.makepyfile("""
        async def test_keys(isolated_redis):
            assert isolated_redis.database_index == 3
            await isolated_redis.set("a", 1)
            await isolated_redis.flushdb()
    """)
    run().assert_outcomes(passed=1)
    for number in (0, 1, 2):
        with redis_client(launched_redis, number) as client:
            assert client.getdel("theirs") == str(number)


@pytest.mark.usefixtures("external")
async def test_a_killed_session_is_cleared_away_by_the_next(
    pytester: pytest.Pytester, run: Run, launched_postgres: Endpoint, launched_redis: Endpoint
) -> None:
    pytester.makepyfile(
        test_killed="""
        import os, signal
        async def test_end(isolated_database, cloned_database, isolated_redis):
            await isolated_redis.set("left", 1)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    )
    run("test_killed.py")
    assert await query(launched_postgres, SESSIONS_DATABASES) >= 3
    with redis_client(launched_redis) as client:
        # As after 30 seconds.
        assert client.delete("realservices:lease:1") == 1
        assert [user for user in client.acl_users() if user.startswith("realservices-")] != []
    pytester.makepyfile(
        test_next="""
        async def test_keys(isolated_database, isolated_redis):
            assert isolated_redis.database_index == 1
            assert await isolated_redis.dbsize() == 0
    """
    )
    run("test_next.py").assert_outcomes(passed=1)
    await _look_for_leftovers(launched_postgres, launched_redis)
