"""What one test leaves, in its database or in the server as a whole, is not there for the next one."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from realservices.contract.runtime import Endpoint

_TIMEOUT_S = 60


@pytest.fixture(scope="session")
def endpoint() -> Endpoint:
    """The service."""
    return find_services().endpoint("postgres")


@pytest.fixture
def pool(endpoint: Endpoint) -> Iterator[ClonePool]:
    """A pool whose databases nobody else has."""
    background = BackgroundLoop()
    pool = ClonePool(endpoint, background, ReadyDatabases(endpoint, find_services().private))
    pool.expect(100)
    yield pool
    pool.close(drop=True, timeout_s=_TIMEOUT_S)
    background.stop()


async def _used(pool: ClonePool, *statements: str) -> str:
    """Take a database, run statements in it, give it back; return its name."""
    clone = await asyncio.wrap_future(pool.take())
    connection = await asyncpg.connect(**clone.connect_kwargs)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
    pool.give_back(clone, is_known=False)
    return clone.name


async def _seen(pool: ClonePool, query: str) -> Any:
    """Return what the next test sees."""
    clone = await asyncio.wrap_future(pool.take())
    connection = await asyncpg.connect(**clone.connect_kwargs)
    value = await connection.fetchval(query)
    await connection.close()
    pool.give_back(clone, is_known=False)
    return value


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("INSERT INTO parent (name) VALUES ('new')", "SELECT count(*) FROM parent"),
        ("UPDATE child SET p = NULL, raw = NULL", "SELECT sum(hashtextextended(c::text, 0)) FROM child c"),
        ("DELETE FROM wide", "SELECT sum(length(body)) FROM wide"),
        ("TRUNCATE parent RESTART IDENTITY CASCADE", "SELECT array_agg(p::text ORDER BY id) FROM parent p"),
        ("VACUUM FULL parent", "SELECT count(*) FROM parent"),
        ("SELECT nextval('parent_id_seq')", "SELECT last_value FROM parent_id_seq"),
        ("DELETE FROM scratch", "SELECT count(*) FROM scratch"),
        ("SELECT lo_put(4242, 0, 'changed')", "SELECT lo_get(4242)"),
        ("REFRESH MATERIALIZED VIEW totals WITH NO DATA", "SELECT count(*) FROM totals"),
        ("ALTER TABLE parent ADD COLUMN more int", "SELECT count(*) FROM pg_attribute WHERE attname = 'more'"),
    ],
)
async def test_what_a_test_writes_is_undone(pool: ClonePool, statement: str, query: str) -> None:
    before = await _seen(pool, query)
    await _used(pool, statement)
    assert await _seen(pool, query) == before
    # And so for the second one, which finds what was restored and not what was made.
    await _used(pool, statement)
    assert await _seen(pool, query) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO parent (name) VALUES ('new')",
        "CREATE TEMP TABLE t AS SELECT * FROM parent",
        "TRUNCATE empty_one",
        "SELECT count(*) FROM parent",
    ],
)
async def test_database_goes_on_where_the_schema_is_the_same(pool: ClonePool, statement: str) -> None:
    first = await _used(pool, statement)
    assert await _used(pool, statement) == first


@pytest.mark.parametrize(
    "statement", ["DELETE FROM wide", "UPDATE parent SET name = name || 'x'", "VACUUM FULL parent"]
)
async def test_the_server_is_not_asked_about_types(
    pool: ClonePool, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """asyncpg asks about arrays of most types, which takes 15 ms for each connection that restores."""
    asked: list[object] = []
    ask: Any = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def note(connection: asyncpg.Connection, typeoids: object, timeout: float | None) -> Any:
        asked.append(typeoids)
        return await ask(connection, typeoids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", note)
    for _ in range(2):
        await _used(pool, statement)
    await asyncio.wrap_future(pool.restored())
    assert asked == []


async def test_database_with_another_schema_is_replaced(pool: ClonePool) -> None:
    first = await _used(pool, "CREATE TABLE another (a int)")
    assert await _used(pool) != first


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE reporter",
        "CREATE ROLE owner; CREATE TABLE owned (a int); ALTER TABLE owned OWNER TO owner",
        "CREATE DATABASE reports",
        "CREATE DATABASE reports IS_TEMPLATE true",
        "CREATE ROLE reporter; GRANT CONNECT ON DATABASE postgres TO reporter",
        "CREATE ROLE reporter; GRANT CREATE ON TABLESPACE pg_default TO reporter",
        "BEGIN; INSERT INTO parent (name) VALUES ('prepared'); PREPARE TRANSACTION 'leftover'",
        "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')",
        "CREATE SUBSCRIPTION sub CONNECTION 'host=none' PUBLICATION pub WITH (connect = false)",
        "CREATE PUBLICATION pub FOR TABLE parent",
        "GRANT SET ON PARAMETER work_mem TO app_user; ALTER ROLE app_group RENAME TO app_group_2",
        "DROP ROLE app_group",
    ],
)
async def test_same_can_be_done_again(pool: ClonePool, statement: str) -> None:
    await _used(pool, statement)
    await _used(pool, statement)
    assert pool.findings() == []


@pytest.mark.parametrize(
    ("statement", "setting"),
    [
        ("ALTER ROLE CURRENT_USER SET search_path = nowhere", "search_path"),
        ("ALTER ROLE CURRENT_USER SET app.region = 'south'", "app.region"),
        ("ALTER DATABASE {} SET work_mem = '7MB'", "work_mem"),
        ("ALTER DATABASE {} RESET ALL", "app.region"),
        ("ALTER SYSTEM SET work_mem = '9MB'", "work_mem"),
    ],
)
async def test_settings_are_those_of_the_service_again(pool: ClonePool, statement: str, setting: str) -> None:
    query = f"SELECT current_setting('{setting}', true)"
    before = await _seen(pool, query)
    name = (await _used(pool)) if "{}" in statement else ""
    await _used(pool, statement.format(name), "SELECT pg_reload_conf()")
    assert await _seen(pool, query) == before


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        (
            "REVOKE CONNECT ON DATABASE postgres FROM public",
            "SELECT datacl::text FROM pg_database WHERE datname = 'postgres'",
        ),
        (
            "ALTER DATABASE template1 IS_TEMPLATE false",
            "SELECT datistemplate FROM pg_database WHERE datname = 'template1'",
        ),
        (
            "GRANT CREATE ON TABLESPACE pg_default TO app_user",
            "SELECT spcacl::text FROM pg_tablespace WHERE oid = 1663",
        ),
        (
            "GRANT CONNECT ON DATABASE postgres TO app_user; GRANT CREATE ON TABLESPACE pg_default TO app_user",
            "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'app_user'::regrole AND deptype = 'a' AND dbid = 0",
        ),
    ],
)
async def test_privileges_and_modes_are_those_of_the_service_again(pool: ClonePool, statement: str, seen: str) -> None:
    before = await _seen(pool, seen)
    await _used(pool, statement)
    assert await _seen(pool, seen) == before
    assert pool.findings() == []


async def test_settings_of_a_migration_reach_every_database(pool: ClonePool) -> None:
    assert await _seen(pool, "SHOW app.region") == "north"
    own = await asyncpg.connect(os.environ["DATABASE_URL"])
    assert await own.fetchval("SHOW search_path") == "public, other"
    await own.close()
    made = [await asyncio.wrap_future(pool.take()) for _ in range(6)]  # More than come with the template.
    for clone in made:
        connection = await asyncpg.connect(**clone.connect_kwargs)
        assert await connection.fetchval("SHOW app.region") == "north"
        await connection.close()
        pool.give_back(clone)


async def test_what_cannot_be_undone_is_named_with_its_test(
    request: pytest.FixtureRequest, endpoint: Endpoint, pool: ClonePool, service: asyncpg.Connection
) -> None:
    await _used(pool)
    await service.execute("CREATE ROLE keeper; CREATE TABLE kept (a int); ALTER TABLE kept OWNER TO keeper")
    await _used(pool, "COMMENT ON ROLE app_user IS 'something of the whole server'")
    (finding,) = pool.findings()
    assert finding.test == request.node.nodeid
    assert "role 'keeper' (created)" in finding.text
    assert endpoint.label in finding.text
    assert pool.findings() == []


@pytest.fixture
async def service(endpoint: Endpoint) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the service's own database, in which nobody restores anything."""
    connection = await asyncpg.connect(**connect_kwargs(endpoint, str(endpoint.database)))
    yield connection
    await connection.execute("DROP TABLE IF EXISTS kept; DROP ROLE IF EXISTS keeper")
    await connection.close()


async def test_first_transaction_of_a_test_can_be_prepared(endpoint: Endpoint) -> None:
    background = BackgroundLoop()
    isolation = PostgresIsolation(endpoint, background, ReadyDatabases(endpoint, find_services().private))
    for _ in range(2):
        async with isolation.transaction(keep=True) as connection:
            count = await connection.fetchval("SELECT count(*) FROM parent")
        async with isolation.transaction(keep=True) as connection:
            async with connection.transaction():
                await connection.execute("INSERT INTO parent (name) VALUES ('prepared')")
                await connection.execute("PREPARE TRANSACTION 'first'; BEGIN")
            await connection.execute("COMMIT PREPARED 'first'")
            assert await connection.fetchval("SELECT count(*) FROM parent") == count + 1
    await isolation.close_loop()
    isolation.close(drop=True)
    background.stop()


async def test_session_of_a_kept_connection_is_a_new_one(endpoint: Endpoint) -> None:
    background = BackgroundLoop()
    isolation = PostgresIsolation(endpoint, background, ReadyDatabases(endpoint, find_services().private))
    isolation.expect(transactions=False, databases=10)
    pids = []
    for _ in range(2):
        async with isolation.connection_to_clone(keep=True) as connection:
            pids.append(connection.get_server_pid())
            assert await connection.fetchval("SELECT to_regclass('pg_temp.t')") is None
            assert await connection.fetchval("SHOW work_mem") == "4MB"
            await connection.execute("CREATE TEMP TABLE t (a int); SET work_mem = '6MB'; SET ROLE app_user")
            await connection.execute("BEGIN")
    assert pids[0] == pids[1]
    await isolation.close_loop()
    isolation.close(drop=True)
    background.stop()
