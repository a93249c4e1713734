"""The chat as its users see it: real WebSockets, PostgreSQL and Redis behind them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from httpx import AsyncClient
from redis.asyncio import Redis
from websockets.asyncio.client import connect

from auth.testing import ClonedDatabase, ManualClock
from auth.tokens import AccessTokens
from backend.server import Addresses
from backend.testing import Person, create_thread, open_chat, refusal

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


async def test_message_reaches_every_member_and_is_kept(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as to_grace:
        assert await from_ada.chat(thread, "hello", client_id="1") == 1
        heard = await to_grace.receive("chat")
        assert (heard["thread_id"], heard["number"], heard["sender_id"]) == (thread, 1, ada.id)
        assert (heard["text"], heard["client_id"]) == ("hello", "1")
        assert await from_ada.receive("chat") == heard
    for reader in (ada, grace):
        reply = await client.get(f"/api/threads/{thread}/messages", headers=reader.headers)
        assert reply.json() == {"messages": [heard]}


async def test_every_device_of_a_member_gets_the_message(
    backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with (
        open_chat(backend.chat, ada) as sending,
        open_chat(backend.chat, ada) as tablet,
        open_chat(backend.chat, grace) as telephone,
    ):
        await sending.chat(thread, "hello")
        for device in (sending, tablet, telephone):
            assert await device.receive_messages(1) == [(1, "hello")]


async def test_thread_that_is_made_while_its_members_chat_is_heard(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person
) -> None:
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as to_grace:
        assert to_grace.welcome["threads"] == []
        thread = await create_thread(client, ada, grace)
        await from_ada.chat(thread, "hello")
        assert await to_grace.receive_messages(1) == [(1, "hello")]


async def test_nobody_else_hears_or_speaks(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person, thread: int, cloned_database: ClonedDatabase
) -> None:
    alone = await create_thread(client, ada)
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as from_grace:
        await from_grace.send(type="chat", thread_id=alone, text="let me in")
        assert (await from_grace.receive("error"))["error"] == "unknown_thread"
        await from_ada.chat(alone, "dear diary")
        await from_ada.chat(thread, "dear Grace")
        assert await from_grace.receive_messages(1) == [(1, "dear Grace")]
    texts = await (await cloned_database.connect()).fetchval("SELECT array_agg(text ORDER BY thread_id) FROM messages")
    assert texts == ["dear Grace", "dear diary"]


# Who may open it


async def test_token_comes_by_header_or_query(backend: Addresses, ada: Person) -> None:
    assert await refusal(backend.chat, ada.headers) == 0
    assert await refusal(f"{backend.chat}?token={ada.token}") == 0


@pytest.mark.parametrize("token", ["", "made%20up", "a.b.c", "%C3%A9", "%FF"])
async def test_without_a_good_token_the_handshake_is_refused(backend: Addresses, token: str) -> None:
    assert await refusal(backend.chat) == 401
    assert await refusal(f"{backend.chat}?token={token}") == 401
    assert await refusal(backend.chat, {"Authorization": "Bearer x"}) == 401
    assert await refusal(backend.chat, {"Authorization": "Basic YWRhOng="}) == 401


async def test_token_of_another_issuer_is_refused(backend: Addresses, ada: Person, clock: ManualClock) -> None:
    stranger = AccessTokens(b"?" * 32, clock=clock).issue(user_id=ada.id, session_id="s")
    assert await refusal(backend.chat, {"Authorization": f"Bearer {stranger}"}) == 401


async def test_expired_token_is_refused(backend: Addresses, ada: Person, clock: ManualClock) -> None:
    clock.advance(86_400)
    assert await refusal(backend.chat, ada.headers) == 401


async def test_token_of_an_account_that_is_gone_is_refused(
    backend: Addresses, ada: Person, cloned_database: ClonedDatabase
) -> None:
    await (await cloned_database.connect()).execute("DELETE FROM users WHERE id = $1", ada.id)
    assert await refusal(backend.chat, ada.headers) == 401


async def test_chat_is_at_one_path(backend: Addresses, ada: Person) -> None:
    assert await refusal(f"{backend.chat}s", ada.headers) == 404
    assert await refusal(backend.chat.removesuffix("/ws"), ada.headers) == 404


async def test_token_that_expires_meanwhile_ends_the_chat_of_who_speaks(
    backend: Addresses, ada: Person, thread: int, clock: ManualClock, cloned_database: ClonedDatabase
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        clock.advance(86_400)
        await from_ada.send(type="chat", thread_id=thread, text="too late")
        assert await from_ada.closed() == 4401
    assert await (await cloned_database.connect()).fetchval("SELECT count(*) FROM messages") == 0


async def test_token_that_expires_meanwhile_ends_the_chat_of_who_listens(
    backend: Addresses, ada: Person, grace: Person, thread: int, clock: ManualClock
) -> None:
    clock.advance(600)
    claims = AccessTokens(b"a signing key for the tests only", clock=clock)  # Ada has refreshed hers, Grace has not
    later = Person(id=ada.id, token=claims.issue(user_id=ada.id, session_id="s"))
    async with open_chat(backend.chat, grace) as to_grace, open_chat(backend.chat, later) as from_ada:
        clock.advance(600)
        await from_ada.chat(thread, "not for expired tokens")
        assert await to_grace.closed() == 4401


# Duplicates, order, reconnection


async def test_message_that_is_sent_again_is_stored_heard_and_counted_once(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as to_grace:
        numbers = [await from_ada.chat(thread, "hello", client_id="1") for _ in range(3)]
        assert numbers == [1, 1, 1]
        assert await from_ada.chat(thread, "bye", client_id="2") == 2
        for member in (from_ada, to_grace):
            assert await member.receive_messages(2) == [(1, "hello"), (2, "bye")]
        await from_ada.done()
    (listed,) = (await client.get("/api/threads", headers=grace.headers)).json()["threads"]
    assert listed["unread"] == 2


async def test_all_hear_the_same_order_whoever_speaks_at_once(
    backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    each = 25
    async with open_chat(backend.chat, ada) as first, open_chat(backend.chat, grace) as second:

        async def speak(name: str) -> None:
            speaker = first if name == "ada" else second
            for at in range(each):
                await speaker.send(type="chat", thread_id=thread, text=f"{name} {at}")

        await asyncio.gather(speak("ada"), speak("grace"))
        heard = await first.receive_messages(2 * each)
        assert await second.receive_messages(2 * each) == heard
    assert [number for number, _ in heard] == list(range(1, 2 * each + 1))
    for name in ("ada", "grace"):
        assert [text for _, text in heard if text.startswith(name)] == [f"{name} {at}" for at in range(each)]


async def test_who_comes_back_is_told_where_the_thread_is_and_misses_nothing(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        async with open_chat(backend.chat, grace) as to_grace:
            await from_ada.chat(thread, "first")
            assert await to_grace.receive_messages(1) == [(1, "first")]
        for text in ("second", "third"):
            await from_ada.chat(thread, text)
        async with open_chat(backend.chat, grace) as to_grace:
            assert to_grace.welcome["threads"] == [{"thread_id": thread, "last_number": 3}]
            await from_ada.chat(thread, "fourth")
            assert await to_grace.receive_messages(1) == [(4, "fourth")]
    missed = await client.get(f"/api/threads/{thread}/messages?after=1&limit=2", headers=grace.headers)
    assert [message["text"] for message in missed.json()["messages"]] == ["second", "third"]


async def test_who_goes_without_a_word_is_in_nobodys_way(
    backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        async with open_chat(backend.chat, grace) as gone, open_chat(backend.chat, grace) as stays:
            gone.socket.transport.abort()
            assert await from_ada.chat(thread, "hello") == 1
            assert await stays.receive_messages(1) == [(1, "hello")]
        assert await from_ada.chat(thread, "still there") == 2


# Unread messages and events


async def test_unread_messages_are_counted_until_they_are_read(
    client: AsyncClient, backend: Addresses, ada: Person, grace: Person, thread: int
) -> None:
    async def unread(person: Person) -> int:
        count: int = (await client.get("/api/threads", headers=person.headers)).json()["threads"][0]["unread"]
        return count

    async with open_chat(backend.chat, ada) as from_ada, open_chat(backend.chat, grace) as from_grace:
        for text in ("one", "two"):
            await from_ada.chat(thread, text)
        await from_ada.done()
        assert (await unread(ada), await unread(grace)) == (0, 2)
        await from_grace.send(type="read", thread_id=thread)
        await from_grace.done()
        assert await unread(grace) == 0


async def test_events_for_analytics_are_recorded(
    backend: Addresses, ada: Person, thread: int, isolated_redis: Redis, clock: ManualClock
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        await from_ada.chat(thread, "hello")
        await from_ada.done()
    entries: Any = await isolated_redis.xrange("events")
    opened, sent = [json.loads(fields["event"]) for _, fields in entries]
    assert (opened["event"], opened["user_id"], opened["timestamp"]) == (
        "chat_opened",
        ada.id,
        "2023-11-14T22:13:20.000+00:00",
    )
    assert (sent["event"], sent["user_id"], sent["id"]) == ("message_sent", ada.id, f"message:{thread}:1")
    assert "hello" not in str(sent)


# What is no use


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "hello", b"\x00\xff", json.dumps({"type": "chat"}), json.dumps({"type": "read", "thread_id": "1"})],
)
async def test_malformed_frame_is_refused_and_the_next_is_answered(
    backend: Addresses, ada: Person, thread: int, data: str | bytes
) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        await from_ada.socket.send(data)
        assert (await from_ada.receive("error"))["error"] == "malformed_input"
        assert await from_ada.chat(thread, "hello") == 1


async def test_frame_that_is_too_large_ends_the_chat(backend: Addresses, ada: Person, thread: int) -> None:
    async with open_chat(backend.chat, ada) as from_ada:
        await from_ada.send(type="chat", thread_id=thread, text="x" * 70_000)
        assert await from_ada.closed() == 1009


async def test_http_request_to_the_chat_is_told_what_it_lacks(backend: Addresses, ada: Person) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(backend.chat.split(":")[2].split("/")[0]))
    writer.write(f"GET /ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ada.token}\r\n\r\n".encode())
    async with asyncio.timeout(20):
        assert b" 426 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_token_is_not_echoed_in_a_refusal(backend: Addresses) -> None:
    url = f"{backend.chat}?token=secret-token"
    with pytest.raises(Exception, match="401") as refused:
        async with connect(url, proxy=None):
            pass
    assert b"secret-token" not in refused.value.response.body  # type: ignore[attr-defined]
