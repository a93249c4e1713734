"""A session ends with its test, whatever the test has left running on it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from realservices.kinds.postgres.isolation.drivers.sessions import async_session_on, session_on

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DEADLINE_S = 60
_THIS_AND_THAT = 2
_LONG = text("SELECT pg_sleep(100)")
_RUNNING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%sleep(100)%'"
)
_SYNC = pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
_ASYNC = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
_BEGUN = pytest.mark.parametrize("has_begun", [False, True])


@_SYNC
@_BEGUN
def test_thread_that_waits_on_a_session_is_cut_off(postgres: PostgresIsolation, driver: str, has_begun: bool) -> None:
    engines = postgres.leases.engines
    with concurrent.futures.ThreadPoolExecutor() as threads:
        with (
            postgres.leases.lease() as lease,
            engines.blocking(lease, driver) as engine,
            session_on(engine) as session,
        ):
            if has_begun:
                session.execute(text("CREATE TABLE made ()"))
            waiting = threads.submit(session.execute, _LONG)
            _until_runs(waiting, engine)
        assert isinstance(waiting.exception(timeout=_DEADLINE_S), DBAPIError)
    with postgres.leases.lease() as lease, engines.blocking(lease, driver) as engine, session_on(engine) as session:
        assert session.scalar(text("SELECT to_regclass('made') IS NULL"))


@_ASYNC
@_BEGUN
async def test_task_that_waits_on_a_session_is_cut_off(
    postgres: PostgresIsolation, driver: str, has_begun: bool
) -> None:
    with postgres.leases.lease() as lease:
        engine, end = postgres.leases.engines.asynchronous(lease, driver, keep=True)
        session, end_session = async_session_on(engine)
        if has_begun:
            await session.execute(text("SELECT 1"))
        waiting = asyncio.create_task(session.execute(_LONG))
        await _until_running(waiting, engine)
        await end_session()
        await end()
        async with asyncio.timeout(_DEADLINE_S):
            assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], DBAPIError)


@_SYNC
def test_session_that_is_idle_rolls_back(postgres: PostgresIsolation, driver: str) -> None:
    with postgres.leases.lease() as lease, postgres.leases.engines.blocking(lease, driver) as engine:
        with session_on(engine) as session:
            session.execute(text("SELECT 1"))
        assert not session.in_transaction()
        assert engine.pool.checkedout() == 0


_LEFT: list[concurrent.futures.Future[Any]] = []


def test_environment_whose_session_waits(comprehensive_test_environment: Any) -> None:
    session = comprehensive_test_environment["session"]
    threads = concurrent.futures.ThreadPoolExecutor()
    _LEFT.append(threads.submit(session.execute, _LONG))
    _until_runs(_LEFT[0], session.get_bind())
    threads.shutdown(wait=False)


def test_environment_has_ended() -> None:
    left = _LEFT.pop()
    assert isinstance(left.exception(timeout=_DEADLINE_S), DBAPIError)


def _until_runs(waiting: concurrent.futures.Future[Any], engine: Engine) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(_RUNNING) != _THIS_AND_THAT:
            assert not waiting.done()
            assert time.monotonic() < deadline
            time.sleep(0.001)


async def _until_running(waiting: asyncio.Task[Any], engine: AsyncEngine) -> None:
    async with asyncio.timeout(_DEADLINE_S), engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while await connection.scalar(_RUNNING) != _THIS_AND_THAT:
            assert not waiting.done()
