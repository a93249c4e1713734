"""What an asynchronous engine of one test does not get from the test before."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DRIVERS = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
_PID = text("SELECT pg_backend_pid()")


@contextlib.asynccontextmanager
async def _use(postgres: PostgresIsolation, driver: str) -> AsyncIterator[Any]:
    """Use an engine as one test does."""
    with postgres.leases.lease() as lease:
        engine, end = postgres.leases.engines.asynchronous(lease, driver, keep=True)
        try:
            yield engine
        finally:
            await end()


async def _pid(engine: Any) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(_PID))


@_DRIVERS
async def test_connection_and_dialect_are_kept_and_the_engine_is_not(postgres: PostgresIsolation, driver: str) -> None:
    async with _use(postgres, driver) as engine:  # The first one asks the server what it is.
        await _pid(engine)
    async with _use(postgres, driver) as first:
        pid = await _pid(first)
    async with _use(postgres, driver) as second:
        assert await _pid(second) == pid
        assert second.sync_engine is not first.sync_engine
        assert second.dialect is first.dialect


@_DRIVERS
async def test_several_connections_at_once(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(2):
        async with _use(postgres, driver) as engine, engine.connect() as one, engine.connect() as another:
            assert await one.scalar(_PID) != await another.scalar(_PID)


@_DRIVERS
async def test_connection_that_is_left_checked_out(postgres: PostgresIsolation, driver: str) -> None:
    async with _use(postgres, driver) as engine:
        left = await engine.connect()
        await left.scalar(_PID)
    async with _use(postgres, driver) as engine:
        closed = (sqlalchemy.exc.StatementError, asyncpg.InterfaceError)
        with pytest.raises(closed, match=r"belongs to a test that has ended|released back to the pool"):
            await left.scalar(_PID)
        del left
        gc.collect()
        await _pid(engine)


@_DRIVERS
async def test_engine_of_an_earlier_test_is_refused(postgres: PostgresIsolation, driver: str) -> None:
    async with _use(postgres, driver) as earlier:
        await _pid(earlier)
    async with _use(postgres, driver):
        with pytest.raises(IsolationError, match="isolated_engine_async belongs to a test that has ended"):
            await _pid(earlier)


@_DRIVERS
async def test_disposing_of_the_pool_and_going_on(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(2):
        async with _use(postgres, driver) as engine:
            pid = await _pid(engine)
            await engine.dispose()
            assert await _pid(engine) != pid


@_DRIVERS
async def test_events_are_not_heard_in_the_next_test(postgres: PostgresIsolation, driver: str) -> None:
    heard: list[str] = []
    async with _use(postgres, driver) as engine:
        for name in ("connect", "checkout", "before_cursor_execute", "do_execute"):
            event.listen(engine.sync_engine, name, lambda *_, name=name, **__: heard.append(name))
        await _pid(engine)
        assert {"connect", "checkout", "before_cursor_execute", "do_execute"} <= set(heard)
    heard.clear()
    async with _use(postgres, driver) as engine:
        await _pid(engine)
        assert heard == []


@_DRIVERS
async def test_json_is_read_and_written(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(3):
        async with _use(postgres, driver) as engine, engine.connect() as connection:
            value = sqlalchemy.literal({"a": [1]}, sqlalchemy.JSON)
            assert await connection.scalar(sqlalchemy.select(value)) == {"a": [1]}


async def test_codec_that_a_test_has_set_is_gone(postgres: PostgresIsolation) -> None:
    for _ in range(3):
        async with _use(postgres, "asyncpg") as engine, engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1::numeric")) == 1
            raw = (await connection.get_raw_connection()).driver_connection
            await raw.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=lambda value: f"<{value}>")
            assert await raw.fetchval("SELECT 1::numeric") == "<1>"


@_DRIVERS
async def test_url_leads_to_the_database(postgres: PostgresIsolation, driver: str) -> None:
    async with _use(postgres, driver) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE mine (id int)"))
        other = create_async_engine(engine.url)
        async with other.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM mine")) == 0
        await other.dispose()


@_DRIVERS
@pytest.mark.parametrize("pre_ping", [False, True])
async def test_lost_connection_is_told_and_replaced(postgres: PostgresIsolation, driver: str, pre_ping: bool) -> None:
    async with _use(postgres, driver) as engine:
        engine.sync_engine.pool._pre_ping = pre_ping
        lost = await _pid(engine)
        other = create_async_engine(engine.url)
        async with other.connect() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": lost})
        await other.dispose()
        if not pre_ping:
            with pytest.raises(sqlalchemy.exc.DBAPIError) as error:
                await _pid(engine)
            assert error.value.connection_invalidated
        assert await _pid(engine) != lost


@_DRIVERS
async def test_another_loop_is_refused(postgres: PostgresIsolation, driver: str) -> None:
    async with _use(postgres, driver) as engine:
        await _pid(engine)
        errors: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(_pid(engine))
            except BaseException as error:  # noqa: BLE001 - looked at below
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert "isolated_engine_async belongs to the event loop that used it first" in str(errors[0])
        assert isinstance(errors[0], IsolationError)
        await _pid(engine)


@pytest.mark.parametrize("changed", [(True, False), (False, True)])
@_DRIVERS
async def test_dialect_knows_what_another_client_has_changed(
    postgres: PostgresIsolation, driver: str, changed: tuple[bool, bool]
) -> None:
    setting = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app', current_database()); END $$"
    for is_changed in changed:
        with postgres.leases.lease() as lease:
            engine, end = postgres.leases.engines.asynchronous(lease, driver, keep=True)
            if is_changed:
                async with postgres.leases.asyncpg(lease, keep=True) as other:
                    await other.execute(f"CREATE SCHEMA app; {setting}")
            async with engine.connect():
                assert engine.dialect.default_schema_name == ("app" if is_changed else "public")
            await end()
