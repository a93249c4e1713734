"""Cloned databases: ready ahead of the test, alone in it, restored behind it or replaced."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.administration import Administration, quote_identifier
from realservices.kinds.postgres.isolation.clone import Clone
from realservices.kinds.postgres.isolation.clone_pool import ClonePool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_TIMEOUT_S = 30


@pytest.fixture
def clones(postgres_endpoint: Endpoint, background: BackgroundLoop, none_ready: ReadyDatabases) -> Iterator[ClonePool]:
    """A pool of the test's own."""
    pool = ClonePool(postgres_endpoint, background, none_ready)
    yield pool
    pool.close(drop=True, timeout_s=_TIMEOUT_S)


async def _databases(endpoint: Endpoint) -> set[str]:
    connection = await asyncpg.connect(**Clone(endpoint, str(endpoint.database)).connect_kwargs)
    try:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def test_url_leads_to_the_database_over_tcp(cloned_database: ClonedDatabase) -> None:
    own = await cloned_database.connect()
    await own.execute("CREATE TABLE t (a int)")
    by_url = await asyncpg.connect(cloned_database.url)
    assert await by_url.fetchval("SELECT current_database()") == cloned_database.name
    assert await by_url.fetchval("SELECT inet_server_port()") == cloned_database.port
    assert await by_url.fetchval("SELECT to_regclass('t')") is not None
    await by_url.close()


async def test_committed_rows_are_seen_by_other_connections(cloned_database: ClonedDatabase) -> None:
    first, second = await cloned_database.connect(), await cloned_database.connect()
    async with first.transaction():
        await first.execute("CREATE TABLE t (a int)")
        assert await second.fetchval("SELECT to_regclass('t')") is None
    assert await second.fetchval("SELECT to_regclass('t')") is not None


def test_blocking_connection(cloned_database: ClonedDatabase) -> None:
    with cloned_database.connect_sync() as connection:
        assert connection.fetchval("SELECT 1") == 1
    assert connection.is_closed()
    connection = cloned_database.connect_sync()
    connection.execute("CREATE TABLE t (a int)")
    with connection.transaction():
        connection.executemany("INSERT INTO t VALUES ($1)", [(1,), (2,)])
    assert connection.fetchval("SELECT sum(a) FROM t") == 3
    connection.close()


async def test_template_is_not_touched(cloned_database: ClonedDatabase, postgres_endpoint: Endpoint) -> None:
    connection = await cloned_database.connect()
    await connection.execute("CREATE TABLE marked (a int)")
    with pytest.raises(asyncpg.PostgresError, match="not currently accepting connections"):
        await asyncpg.connect(**Clone(postgres_endpoint, postgres_endpoint.template_database).connect_kwargs)


async def test_name_that_a_test_knew_leads_nowhere_behind_it(clones: ClonePool, postgres_endpoint: Endpoint) -> None:
    clone = await asyncio.wrap_future(clones.take())
    assert clone.name in await _databases(postgres_endpoint)
    left_open = await asyncpg.connect(**clone.connect_kwargs)
    await asyncio.wrap_future(clones.give_back(clone))
    again = await asyncio.wrap_future(clones.take())
    assert again.name != clone.name
    assert clone.name not in await _databases(postgres_endpoint)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(**clone.connect_kwargs)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await left_open.fetch("SELECT 1")


async def test_name_that_nobody_knew_is_used_again(clones: ClonePool) -> None:
    clone = await asyncio.wrap_future(clones.take())
    await asyncio.wrap_future(clones.give_back(clone, is_known=False))
    assert await asyncio.wrap_future(clones.take()) == clone


async def test_connection_that_was_left_open_makes_the_name_known(clones: ClonePool) -> None:
    clone = await asyncio.wrap_future(clones.take())
    left_open = await asyncpg.connect(**clone.connect_kwargs)
    await asyncio.wrap_future(clones.give_back(clone, is_known=False))
    assert await asyncio.wrap_future(clones.take()) != clone
    left_open.terminate()


async def test_database_with_another_schema_is_replaced(clones: ClonePool, postgres_endpoint: Endpoint) -> None:
    clone = await asyncio.wrap_future(clones.take())
    connection = await asyncpg.connect(**clone.connect_kwargs)
    await connection.execute("CREATE TABLE another (a int)")
    await connection.close()
    clones.expect(1)
    await asyncio.wrap_future(clones.give_back(clone))
    again = await asyncio.wrap_future(clones.take())
    connection = await asyncpg.connect(**again.connect_kwargs)
    assert await connection.fetchval("SELECT to_regclass('another')") is None
    await connection.close()


async def test_database_that_a_test_has_made_itself_is_replaced(clones: ClonePool, postgres_endpoint: Endpoint) -> None:
    clones.expect(2)
    clone = await asyncio.wrap_future(clones.take())
    administration = Administration(postgres_endpoint)
    for statement in (f'DROP DATABASE "{clone.name}"', f'CREATE DATABASE "{clone.name}"'):
        await administration.execute(statement)
    connection = await asyncpg.connect(**clone.connect_kwargs)
    await connection.execute("CREATE TABLE left_by_test (a int)")
    await connection.close()
    clones.give_back(clone, is_known=False)
    for _ in range(2):
        another = await asyncio.wrap_future(clones.take())
        connection = await asyncpg.connect(**another.connect_kwargs)
        assert await connection.fetchval("SELECT to_regclass('left_by_test')") is None
        await connection.close()
    await administration.close(finish=True)


async def test_expected_clones_are_made_ahead_and_not_too_many(clones: ClonePool, postgres_endpoint: Endpoint) -> None:
    clones.expect(3)
    taken = [await asyncio.wrap_future(clones.take()) for _ in range(3)]
    assert len({clone.name for clone in taken}) == 3
    for clone in taken:
        await asyncio.wrap_future(clones.give_back(clone))
    ours = taken[0].name.rpartition("_")[0]
    left = [name for name in await _databases(postgres_endpoint) if name.startswith(ours)]
    assert len(left) == 1  # For a test that nobody has announced.


async def test_clones_taken_at_once_are_different(clones: ClonePool) -> None:
    taken = await asyncio.gather(*(asyncio.wrap_future(clones.take()) for _ in range(5)))
    assert len({clone.name for clone in taken}) == 5


async def test_failure_names_service_and_template(
    postgres_endpoint: Endpoint, background: BackgroundLoop, none_ready: ReadyDatabases
) -> None:
    pool = ClonePool(dataclasses.replace(postgres_endpoint, template_database='no "such"'), background, none_ready)
    pool.expect(2)  # What fails ahead of the test must be told in the test.
    for _ in range(3):
        with pytest.raises(IsolationError) as caught:
            await asyncio.wrap_future(pool.take())
        assert postgres_endpoint.label in str(caught.value)
        assert 'no "such"' in str(caught.value)
    pool.close(drop=True, timeout_s=_TIMEOUT_S)


async def test_lost_administrative_connection_is_replaced(clones: ClonePool, postgres: PostgresIsolation) -> None:
    clone = await asyncio.wrap_future(clones.take())
    connection = await asyncpg.connect(**clone.connect_kwargs)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
    )
    await connection.close()
    assert (await asyncio.wrap_future(clones.take())).name != clone.name


async def test_isolation_by_database_allows_commit(postgres: PostgresIsolation) -> None:
    names = set()
    for _ in range(2):
        async with postgres.connection_to_clone() as connection:
            await connection.execute("BEGIN; CREATE TABLE t (a int); COMMIT")
            names.add(await connection.fetchval("SELECT current_database()"))
    assert len(names) == 2


@pytest.mark.parametrize("isolation", ["transaction", "database"])
def test_blocking_isolation(postgres: PostgresIsolation, isolation: str) -> None:
    for _ in range(2):
        with postgres.blocking(isolation=isolation) as connection:
            connection.execute("CREATE TABLE t (a int)")
            with pytest.raises(asyncpg.UndefinedTableError):
                connection.fetch("SELECT * FROM missing")
            assert connection.fetchval("SELECT count(*) FROM t") == 0


def test_blocking_connection_has_prepared_statements_and_cursors(isolated_database_sync: Any) -> None:
    prepared = isolated_database_sync.prepare("SELECT generate_series(1, $1) AS n")
    assert [row["n"] for row in prepared.fetch(3)] == [1, 2, 3]
    with isolated_database_sync.transaction():
        rows = isolated_database_sync.cursor("SELECT generate_series(1, 99) AS n")
        assert sum(row["n"] for row in rows) == 4950

    def create_and_fail() -> None:
        with isolated_database_sync.transaction():
            isolated_database_sync.execute("CREATE TABLE t (a int)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        create_and_fail()
    assert isolated_database_sync.fetchval("SELECT to_regclass('t')") is None


async def test_blocking_connection_works_where_a_loop_runs(isolated_database_sync: Any) -> None:
    assert isolated_database_sync.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(("name", "quoted"), [("plain", '"plain"'), ('with "quotes"', '"with ""quotes"""')])
def test_identifiers_are_quoted(name: str, quoted: str) -> None:
    assert quote_identifier(name) == quoted


async def test_clone_that_failed_ahead_is_made_anew(
    postgres_endpoint: Endpoint, background: BackgroundLoop, none_ready: ReadyDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ClonePool(postgres_endpoint, background, none_ready)
    with monkeypatch.context() as server_is_down:
        # Where nobody listens.
        server_is_down.setattr(
            pool._maker.connections[0], "_endpoint", dataclasses.replace(postgres_endpoint, socket="", port=1)
        )
        pool.expect(2)
        with pytest.raises(IsolationError):
            await asyncio.wrap_future(pool.make())
    assert (await asyncio.wrap_future(pool.take())).name
    pool.close(drop=True, timeout_s=_TIMEOUT_S)


async def test_settings_of_a_share_s_database_stay_when_a_test_changes_the_server(postgres: PostgresIsolation) -> None:
    share = postgres.share("module")
    await share.connection.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''123kB''', current_database()); END $$"
    )
    isolation = share.isolation()
    for role in ("one", "two"):
        with isolation.cloned_database() as database:
            connection = await database.connect()
            assert await connection.fetchval("SHOW work_mem") == "123kB"
            await connection.execute(f"CREATE ROLE share_{role}")
    with isolation.cloned_database() as database:
        assert await (await database.connect()).fetchval("SHOW work_mem") == "123kB"
    await isolation.close_loop()
    share.close()
