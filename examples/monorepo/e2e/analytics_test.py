"""What people do at the front doors, as it arrives in ClickHouse; also when services on the way go down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from httpx import AsyncClient

from analytics.store import EventStore, open_store
from auth.testing import ServiceControl
from backend.testing import create_thread, open_chat
from e2e.people import signed_up

TIMEOUT_S = 10
DAY = timedelta(days=1)

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis, pytest.mark.requires_clickhouse]


@pytest.fixture
async def store(comprehensive_test_environment: Mapping[str, Any]) -> AsyncIterator[EventStore]:
    """The events that the worker has stored; put back with the rest after each test."""
    async with open_store(comprehensive_test_environment["clickhouse"].url) as store:
        yield store


async def emptied(redis: Any) -> None:
    """Return when all that was recorded is stored."""
    async with asyncio.timeout(TIMEOUT_S):
        while await redis.xlen("events"):
            pass


async def test_what_people_do_arrives_in_clickhouse(
    auth: AsyncClient, backend: AsyncClient, chat: str, redis: Any, store: EventStore
) -> None:
    ada, grace = await signed_up(auth, "ada@example.com"), await signed_up(auth, "grace@example.com")
    thread = await create_thread(backend, ada, grace)
    async with open_chat(chat, ada) as from_ada, open_chat(chat, grace):
        for _ in range(2):
            assert await from_ada.chat(thread, "hello", client_id="1") == 1
        assert await from_ada.chat(thread, "anybody?", client_id="2") == 2
        await from_ada.done()
    await emptied(redis)
    assert await store.counts() == {"chat_opened": 2, "message_sent": 2}
    assert await store.funnel(["chat_opened", "message_sent"], within=DAY) == [2, 1]
    assert list((await store.users_by_day("message_sent")).values()) == [1]


@pytest.mark.parametrize("again", range(2))
async def test_every_test_finds_the_store_empty(
    auth: AsyncClient, chat: str, redis: Any, store: EventStore, again: int
) -> None:
    assert await store.counts() == {}
    async with open_chat(chat, await signed_up(auth, f"test{again}@example.com")):
        pass
    await emptied(redis)
    assert await store.counts() == {"chat_opened": 1}


@pytest.mark.parametrize("service", ["analytics_worker", "olap"])
@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_events_wait_until_analytics_is_back(
    auth: AsyncClient,
    backend: AsyncClient,
    chat: str,
    redis: Any,
    store: EventStore,
    service_control: ServiceControl,
    service: str,
    how: str,
) -> None:
    ada = await signed_up(auth, "ada@example.com")
    thread = await create_thread(backend, ada)
    async with open_chat(chat, ada) as from_ada:
        await from_ada.chat(thread, "before")
        await (service_control.kill(service) if how == "kill" else service_control.stop(service))
        await from_ada.chat(thread, "meanwhile")  # nobody who chats notices
        await from_ada.done()
        await service_control.start(service)
    await emptied(redis)
    assert await store.counts() == {"chat_opened": 1, "message_sent": 2}
