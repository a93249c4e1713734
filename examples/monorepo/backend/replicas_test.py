"""Two backends on one database and one Redis: users need not know which of them they are connected to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from auth.testing import SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock
from backend.server import Addresses, serving
from backend.testing import Person, open_chat

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
async def replica(
    cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock
) -> AsyncIterator[Addresses]:
    """A second backend."""
    async with serving(
        database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, clock=clock
    ) as addresses:
        yield addresses


async def test_message_crosses_over_and_comes_once(
    backend: Addresses, replica: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as here, open_chat(replica.chat, grace) as there:
        await here.chat(thread, "hello", client_id="1")
        assert await there.receive_messages(1) == [(1, "hello")]
        await here.chat(thread, "hello", client_id="1")
        # The answer comes to `here` by Redis only, and so after whatever Redis still has of the first message.
        await there.chat(thread, "hello yourself")
        assert await here.receive_messages(2) == [(1, "hello"), (2, "hello yourself")]
        assert await there.receive_messages(1) == [(2, "hello yourself")]


async def test_message_that_is_sent_again_elsewhere_is_the_same(
    client: AsyncClient, backend: Addresses, replica: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as first:
        assert await first.chat(thread, "hello", client_id="1") == 1
        await first.done()
    async with open_chat(replica.chat, ada) as second:
        assert await second.chat(thread, "hello", client_id="1") == 1
        await second.done()
    (listed,) = (await client.get("/api/threads", headers=grace.headers)).json()["threads"]
    assert (listed["last_number"], listed["unread"]) == (1, 1)


async def test_of_one_message_sent_at_once_everywhere_one_is_stored(
    backend: Addresses, replica: Addresses, ada: Person, thread: int, cloned_database: ClonedDatabase
) -> None:
    async with (
        open_chat(backend.chat, ada) as first,
        open_chat(backend.chat, ada) as second,
        open_chat(replica.chat, ada) as third,
        open_chat(replica.chat, ada) as fourth,
    ):
        devices = (first, second, third, fourth)
        numbers = await asyncio.gather(*(device.chat(thread, "hello", client_id="1") for device in devices))
        assert set(numbers) == {1}
    assert await (await cloned_database.connect()).fetchval("SELECT count(*) FROM messages") == 1


async def test_all_hear_the_same_order_wherever_they_are(
    backend: Addresses, replica: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    each = 20
    async with (
        open_chat(backend.chat, ada) as here,
        open_chat(replica.chat, grace) as there,
        open_chat(replica.chat, ada) as tablet,
    ):

        async def speak(at: int) -> None:
            for number in range(each):
                await (here, there)[at].send(type="chat", thread_id=thread, text=f"{at}: {number}")

        await asyncio.gather(speak(0), speak(1))
        heard = await here.receive_messages(2 * each)
        assert await there.receive_messages(2 * each) == heard
        assert await tablet.receive_messages(2 * each) == heard
    assert [number for number, _ in heard] == list(range(1, 2 * each + 1))


async def test_who_is_sent_away_by_a_backend_that_stops_goes_on_elsewhere(
    client: AsyncClient,
    backend: Addresses,
    ada: Person,
    grace: Person,
    thread: int,
    cloned_database: ClonedDatabase,
    isolated_redis: IsolatedRedis,
    clock: ManualClock,
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        stopping = serving(database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, clock=clock)
        async with open_chat((await stopping.__aenter__()).chat, grace) as sent_away:
            await from_ada.chat(thread, "first")
            assert await sent_away.receive_messages(1) == [(1, "first")]
            await stopping.__aexit__(None, None, None)
            assert await sent_away.closed() == 1001
        await from_ada.chat(thread, "second")
        async with open_chat(backend.chat, grace) as elsewhere:
            assert elsewhere.welcome["threads"] == [{"thread_id": thread, "last_number": 2}]
            await from_ada.chat(thread, "third")
            assert await elsewhere.receive_messages(1) == [(3, "third")]
    missed = await client.get(f"/api/threads/{thread}/messages?after=1&limit=1", headers=grace.headers)
    assert [message["text"] for message in missed.json()["messages"]] == ["second"]
