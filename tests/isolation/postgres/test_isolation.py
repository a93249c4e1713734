"""Tests that are cut short: whatever was under way, the process goes on and its event loop ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.kinds.postgres.isolation.connection import IsolatedConnection

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DEADLINE_S = 20


async def _use(postgres: PostgresIsolation) -> Any:
    async with asyncio.timeout(_DEADLINE_S), postgres.transaction(keep=True) as connection:
        return await connection.fetchval("SELECT 1")


async def test_one_cut_short_while_it_begins_gives_its_connection_back(
    postgres: PostgresIsolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, begin = asyncio.Event(), IsolatedConnection.begin_test

    async def begin_slowly(connection: IsolatedConnection, *arguments: Any) -> None:
        begun.set()
        await begin(connection, *arguments)
        await asyncio.Event().wait()

    monkeypatch.setattr(IsolatedConnection, "begin_test", begin_slowly)
    test = asyncio.create_task(_use(postgres))
    await begun.wait()
    test.cancel()
    with pytest.raises(asyncio.CancelledError):
        await test
    monkeypatch.undo()
    assert await _use(postgres) == 1


@pytest.mark.parametrize("goes_on", [True, False])
async def test_one_cut_short_while_it_waits_for_the_clone_stops_neither_the_next_one_nor_the_end(
    postgres: PostgresIsolation, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    asked = asyncio.Event()

    def never() -> Future[Clone]:
        asked.set()
        return Future()

    monkeypatch.setattr(postgres._clones, "reserve", never)
    test = asyncio.create_task(_use(postgres))
    await asked.wait()
    test.cancel()
    with pytest.raises(asyncio.CancelledError):
        await test
    monkeypatch.undo()
    if goes_on:
        assert await _use(postgres) == 1


async def test_the_loop_may_end_while_somebody_keeps_the_connection(postgres: PostgresIsolation) -> None:
    never_left = postgres.transaction(keep=True)
    connection = await never_left.__aenter__()
    async with asyncio.timeout(_DEADLINE_S):
        await postgres.close_loop()
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await connection.fetchval("SELECT 1")
    await never_left.__aexit__(None, None, None)
    assert await _use(postgres) == 1
