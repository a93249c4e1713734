"""A test that waits for a lock of its own other connection ends, and says which statements they are."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_HEAD = """
    import asyncio
    import contextlib
    import threading
    import time
    import asyncpg
    import pytest

    from realservices.fixtures import lock_waits
    from realservices.kinds.postgres.isolation import lock_waits as watch

    lock_waits._LEAST_S, watch.LONGEST_S, watch._PAUSE_S = 0.0, 1.0, 0.1

    @pytest.fixture(scope="module")
    def table(cloned_database_module):
        cloned_database_module.connect_sync().execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
"""
_UPDATE = "UPDATE t SET a = 2 WHERE a = 1"
_TESTS = {
    "rows": (
        """
    async def test_it(table, cloned_database):
        one, other = await cloned_database.connect(), await cloned_database.connect()
        assert await other.fetchval("SHOW lock_timeout") == await other.fetchval("SHOW statement_timeout") == "0"
        await one.execute("BEGIN")
        await one.execute("UPDATE t SET a = 2 WHERE a = 1")
        await other.execute("UPDATE t SET a = 3 WHERE a = 1")
""",
        "UPDATE t SET a = 3 WHERE a = 1",
        _UPDATE,
    ),
    "schema": (
        """
    def test_it(table, isolated_psycopg, isolated_psycopg2):
        isolated_psycopg.execute("SELECT a FROM t")
        isolated_psycopg2.cursor().execute("ALTER TABLE t ADD COLUMN b int")
""",
        "ALTER TABLE t ADD COLUMN b int",
        "SELECT a FROM t",
    ),
    "advisory locks": (
        """
    async def test_it(table, isolated_database, isolated_psycopg_async):
        await isolated_database.execute("SELECT pg_advisory_lock(1)")
        await isolated_psycopg_async.execute("SELECT pg_advisory_lock(1)")
""",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_lock(1)",
    ),
    "code that goes on": (
        """
    def test_it(table, isolated_database_sync, isolated_psycopg):
        isolated_psycopg.execute("UPDATE t SET a = 2 WHERE a = 1")
        with contextlib.suppress(asyncpg.QueryCanceledError):
            isolated_database_sync.execute("DELETE FROM t")
""",
        "DELETE FROM t",
        _UPDATE,
    ),
}


@pytest.mark.parametrize("name", _TESTS)
def test_wait_that_would_last_for_ever_is_ended(pytester: pytest.Pytester, name: str) -> None:
    test, waiting, holding = _TESTS[name]
    pytester.makepyfile(_HEAD + test + "\n    def test_after(isolated_database_sync): pass\n")
    result = _run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*A statement of this test waited 1 s for a lock of another of its connections, which did nothing *",
            f"*    {waiting}",
            "*The last statement of the other connection was",
            f"*    {holding}",
        ]
    )


def test_waits_that_end_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        _HEAD
        + """
    async def test_it(table, cloned_database):
        one, other = await cloned_database.connect(), await cloned_database.connect()
        await one.execute("BEGIN")
        await one.execute("UPDATE t SET a = 2 WHERE a = 1")
        waiting = asyncio.create_task(other.execute("UPDATE t SET a = 3"))
        for _ in range(10):
            await one.execute("SELECT pg_sleep(0.2)")  # At work, and so is the test that awaits it.
        await one.execute("COMMIT")
        await waiting

    def test_own_limit(table, isolated_psycopg, isolated_psycopg2):
        isolated_psycopg.execute("UPDATE t SET a = 2 WHERE a = 1")
        cursor = isolated_psycopg2.cursor()
        cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            cursor.execute("DELETE FROM t")
"""
    )
    _run(pytester).assert_outcomes(passed=2)


def _run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider", timeout=60)
