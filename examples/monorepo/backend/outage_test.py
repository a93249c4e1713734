"""What users see while PostgreSQL or Redis is down, and that nothing has to be restarted when they are back."""

from __future__ import annotations

import asyncio

import pytest
from httpx import AsyncClient

from auth.testing import SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock, ServiceControl
from backend.server import Addresses, serving
from backend.testing import Person, open_chat, refusal

HANGING_S = 6  # far above what a health check may take, and below what its server waits for any other answer

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


async def status(client: AsyncClient, path: str, person: Person) -> int:
    return (await client.get(path, headers=person.headers)).status_code


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_without_postgres_messages_are_put_off_and_none_is_lost(
    client: AsyncClient,
    backend: Addresses,
    ada: Person,
    grace: Person,
    thread: int,
    service_control: ServiceControl,
    how: str,
) -> None:
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as to_grace:
        assert await from_ada.chat(thread, "before", client_id="1") == 1

        await (service_control.kill("db") if how == "kill" else service_control.stop("db"))
        assert await status(client, "/health", ada) == 503
        assert await status(client, f"/api/threads/{thread}/messages", ada) == 503
        assert await status(client, f"/api/users/{grace.id}", ada) == 503
        assert await refusal(backend.chat, ada.headers) == 503
        await from_ada.send(type="chat", thread_id=thread, text="after", client_id="2")
        assert (await from_ada.receive("error"))["error"] == "unavailable"

        await service_control.start("db")
        assert await status(client, "/health", ada) == 200
        assert await from_ada.chat(thread, "before", client_id="1") == 1
        assert await from_ada.chat(thread, "after", client_id="2") == 2
        assert await to_grace.receive_messages(2) == [(1, "before"), (2, "after")]
        assert await refusal(backend.chat, ada.headers) == 0


async def test_without_redis_who_is_at_the_same_backend_still_chats(
    client: AsyncClient,
    backend: Addresses,
    ada: Person,
    grace: Person,
    thread: int,
    service_control: ServiceControl,
) -> None:
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as to_grace:
        await service_control.kill("cache")
        assert await status(client, "/health", ada) == 503
        assert await status(client, "/api/threads", ada) == 503
        assert await from_ada.chat(thread, "hello") == 1
        assert await to_grace.receive_messages(1) == [(1, "hello")]
        await to_grace.send(type="read", thread_id=thread)
        assert (await to_grace.receive("error"))["error"] == "unavailable"

        await service_control.start("cache")
        assert await status(client, "/health", ada) == 200
        assert await status(client, "/api/threads", ada) == 200


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_messages_from_other_backends_come_when_redis_is_back(
    backend: Addresses,
    ada: Person,
    grace: Person,
    thread: int,
    cloned_database: ClonedDatabase,
    isolated_redis: IsolatedRedis,
    clock: ManualClock,
    service_control: ServiceControl,
    how: str,
) -> None:
    async with (
        serving(
            database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, clock=clock
        ) as replica,
        open_chat(backend.chat, ada) as here,
        open_chat(replica.chat, grace) as there,
    ):
        await here.chat(thread, "before")
        assert await there.receive_messages(1) == [(1, "before")]
        await (service_control.kill("cache") if how == "kill" else service_control.stop("cache"))
        for text in ("meanwhile", "and again"):
            await here.chat(thread, text)
        await here.done()
        await service_control.start("cache")
        assert await there.receive_messages(2) == [(2, "meanwhile"), (3, "and again")]
        await here.chat(thread, "after")
        assert await there.receive_messages(1) == [(4, "after")]


async def test_who_may_have_missed_something_is_asked_to_come_again(
    backend: Addresses, ada: Person, service_control: ServiceControl
) -> None:
    async with open_chat(backend.chat, ada) as to_ada:
        await service_control.kill("db")
        await service_control.kill("cache")
        await service_control.start("cache")  # the backend hears that it may have missed something, and cannot look
        assert await to_ada.closed() == 1013
    await service_control.start("db")
    assert await refusal(backend.chat, ada.headers) == 0


@pytest.mark.parametrize("service", ["db", "cache"])
async def test_health_does_not_hang_with_the_service(
    client: AsyncClient, ada: Person, service_control: ServiceControl, service: str
) -> None:
    assert await status(client, "/health", ada) == 200
    await service_control.pause(service)
    async with asyncio.timeout(HANGING_S):
        assert await status(client, "/health", ada) == 503
    await service_control.resume(service)
    assert await status(client, "/health", ada) == 200
