"""One client of the chat, told of messages as a network would: late, twice, out of order, too many at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from auth.testing import SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock
from auth.tokens import AccessTokens
from backend import connection
from backend.chat import ChatService
from backend.chat_server import ChatServer
from backend.frames import Chat
from backend.hub import Hub
from backend.messages import Message
from backend.testing import ChatClient, Person, open_chat

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def chat(
    cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock, hub: Hub
) -> AsyncIterator[ChatService]:
    """The operations, and nobody who tells of them."""
    async with asyncpg.create_pool(cloned_database.url, min_size=1, max_size=4) as pool:
        yield ChatService(pool=pool, redis=isolated_redis, hub=hub, channel="nobody", clock=clock)


@pytest.fixture
async def client(chat: ChatService, hub: Hub, clock: ManualClock, ada: Person) -> AsyncIterator[ChatClient]:
    """Ada's connection."""
    tokens = AccessTokens(SIGNING_KEY, clock=clock)
    async with await ChatServer(chat=chat, hub=hub, tokens=tokens, clock=clock).start(
        host="127.0.0.1", port=0
    ) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_chat(f"ws://127.0.0.1:{port}/ws", ada) as client:
            yield client


async def stored(chat: ChatService, ada: Person, count: int) -> list[Message]:
    """Messages that nobody was told of."""
    thread = await chat.create_thread(ada.id, title="Hello", members=[])
    return [await store(chat, ada, thread.id, f"{at + 1}") for at in range(count)]


async def store(chat: ChatService, ada: Person, thread_id: int, text: str) -> Message:
    return (await chat.post(ada.id, Chat(thread_id=thread_id, text=text))).message


@pytest.mark.parametrize(
    "order", [[1, 2, 3], [3, 2, 1], [2, 1, 3], [3], [1, 1, 1, 3, 3], [1, 3, 2, 3, 1]], ids=lambda order: str(order)
)
async def test_whatever_it_is_told_the_client_hears_all_once_and_in_order(
    client: ChatClient, chat: ChatService, hub: Hub, ada: Person, order: list[int]
) -> None:
    messages = await stored(chat, ada, 3)
    for number in order:
        hub.deliver(messages[number - 1], [ada.id])
    hub.deliver(await store(chat, ada, messages[0].thread_id, "4"), [ada.id])
    assert await client.receive_messages(4) == [(1, "1"), (2, "2"), (3, "3"), (4, "4")]


@pytest.fixture
def small_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_INBOX_MESSAGES", 2)


@pytest.mark.usefixtures("small_inbox")  # which is before the connection is made
async def test_more_at_once_than_it_can_hold_is_read_from_the_database(
    client: ChatClient, chat: ChatService, hub: Hub, ada: Person
) -> None:
    messages = await stored(chat, ada, 7)
    for message in messages:
        hub.deliver(message, [ada.id])
    assert await client.receive_messages(7) == [(at, f"{at}") for at in range(1, 8)]


async def test_catching_up_finds_what_nobody_told_of(
    client: ChatClient, chat: ChatService, hub: Hub, ada: Person
) -> None:
    first, second = await stored(chat, ada, 2), await stored(chat, ada, 1)
    hub.catch_up()
    hub.catch_up()
    heard = [await client.receive("chat") for _ in range(3)]
    assert [(message["thread_id"], message["number"]) for message in heard] == [
        (first[0].thread_id, 1),
        (first[0].thread_id, 2),
        (second[0].thread_id, 1),
    ]
    hub.deliver(await store(chat, ada, first[0].thread_id, "3"), [ada.id])
    assert await client.receive_messages(1) == [(3, "3")]


async def test_more_than_a_page_is_caught_up_with(
    monkeypatch: pytest.MonkeyPatch, client: ChatClient, chat: ChatService, hub: Hub, ada: Person
) -> None:
    monkeypatch.setattr("backend.chat._PAGE", 2)
    await stored(chat, ada, 5)
    hub.catch_up()
    assert await client.receive_messages(5) == [(at, f"{at}") for at in range(1, 6)]


async def test_message_of_a_thread_that_is_gone_is_left_out(
    client: ChatClient, chat: ChatService, hub: Hub, ada: Person, cloned_database: ClonedDatabase
) -> None:
    gone = await stored(chat, ada, 2)
    await (await cloned_database.connect()).execute("DELETE FROM threads")
    hub.deliver(gone[1], [ada.id])
    (message,) = await stored(chat, ada, 1)
    hub.deliver(message, [ada.id])
    assert (await client.receive("chat"))["thread_id"] == message.thread_id
