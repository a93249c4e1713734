"""What people do on their first day, over all services."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from backend.testing import Person, create_thread, open_chat, refusal
from e2e.people import PASSWORD, logged_in, signed_up

ADA, GRACE = "ada@example.com", "grace@example.com"
AT_ONCE = 6

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


async def unread(backend: AsyncClient, person: Person) -> list[int]:
    reply = await backend.get("/api/threads", headers=person.headers)
    return [thread["unread"] for thread in reply.json()["threads"]]


async def test_first_day_of_two_people(
    auth: AsyncClient, backend: AsyncClient, chat: str, other_chat: str, database: Any
) -> None:
    assert await refusal(chat) == 401
    await signed_up(auth, ADA)
    ada = await logged_in(auth, ADA)
    me = await auth.get("/auth/me", headers=ada.headers)
    assert me.json() == {"user_id": ada.id, "email": ADA}

    async with open_chat(chat, ada) as from_ada:
        assert from_ada.welcome == {"type": "welcome", "user_id": ada.id, "threads": []}
        grace = await signed_up(auth, GRACE)
        assert (await backend.get(f"/api/users/{grace.id}", headers=ada.headers)).json()["email"] == GRACE
        thread = await create_thread(backend, ada, grace)
        assert await from_ada.chat(thread, "hello Grace") == 1
        await from_ada.done()
        assert await unread(backend, grace) == [1]

        async with open_chat(other_chat, grace) as from_grace:
            missed = await backend.get(f"/api/threads/{thread}/messages", headers=grace.headers)
            assert [message["text"] for message in missed.json()["messages"]] == ["hello Grace"]
            await from_grace.send(type="read", thread_id=thread)
            assert await from_grace.chat(thread, "hello Ada") == 2
            assert await from_ada.receive_messages(2) == [(1, "hello Grace"), (2, "hello Ada")]
            assert await from_grace.receive_messages(1) == [(2, "hello Ada")]
    assert (await unread(backend, ada), await unread(backend, grace)) == ([1], [0])

    trail = await database.fetch("SELECT event FROM audit WHERE user_id = $1 ORDER BY id", ada.id)
    assert [row["event"] for row in trail] == ["signed_up", "logged_in"]


@pytest.mark.parametrize("again", range(2))
async def test_every_test_finds_the_services_as_new(
    auth: AsyncClient, backend: AsyncClient, database: Any, redis: Any, again: int
) -> None:
    assert await database.fetchval("SELECT count(*) FROM users") == 0
    assert await redis.keys("session:*") == []
    ada = await signed_up(auth, ADA)
    assert await create_thread(backend, ada) == 1, again


async def test_logout_ends_the_session_and_the_token_soon(auth: AsyncClient, backend: AsyncClient) -> None:
    await signed_up(auth, ADA)
    grant = (await auth.post("/auth/login", json={"email": ADA, "password": PASSWORD})).json()
    ada = Person(id=grant["user_id"], token=grant["access_token"])
    assert (await auth.post("/auth/logout", json={"refresh_token": grant["refresh_token"]})).status_code == 204
    assert (await auth.get("/auth/me", headers=ada.headers)).status_code == 401
    refused = await auth.post("/auth/refresh", json={"refresh_token": grant["refresh_token"]})
    assert refused.status_code == 401
    # Other services take the token until it expires, and do not ask the auth service.
    assert (await backend.get("/api/threads", headers=ada.headers)).status_code == 200


async def test_account_that_is_gone_is_gone_everywhere(
    auth: AsyncClient, backend: AsyncClient, chat: str, database: Any
) -> None:
    ada, grace = await signed_up(auth, ADA), await signed_up(auth, GRACE)
    thread = await create_thread(backend, ada, grace)
    async with open_chat(chat, ada) as from_ada:
        await from_ada.chat(thread, "hello")
    await database.execute("DELETE FROM users WHERE id = $1", ada.id)
    assert (await auth.get("/auth/me", headers=ada.headers)).status_code == 401
    assert (await backend.get(f"/api/users/{ada.id}", headers=grace.headers)).status_code == 404
    assert await refusal(chat, ada.headers) == 401
    kept = await backend.get(f"/api/threads/{thread}/messages", headers=grace.headers)
    assert [(message["sender_id"], message["text"]) for message in kept.json()["messages"]] == [(None, "hello")]


async def test_many_people_at_once(auth: AsyncClient, backend: AsyncClient, chat: str, other_chat: str) -> None:
    people = await asyncio.gather(*(signed_up(auth, f"test{at}@example.com") for at in range(AT_ONCE)))
    assert len({person.id for person in people}) == AT_ONCE
    thread = await create_thread(backend, people[0], *people[1:])
    each = 5

    async def take_part(at: int) -> list[tuple[int, str]]:
        async with open_chat((chat, other_chat)[at % 2], people[at]) as client:
            await everybody_is_there.wait()
            for number in range(each):
                await client.send(type="chat", thread_id=thread, text=f"{at}: {number}")
            await client.done()  # its messages are counted, too
            return await client.receive_messages(AT_ONCE * each)

    everybody_is_there = asyncio.Barrier(AT_ONCE)
    heard = await asyncio.gather(*(take_part(at) for at in range(AT_ONCE)))
    assert [number for number, _ in heard[0]] == list(range(1, AT_ONCE * each + 1))
    assert all(what == heard[0] for what in heard)
    assert await unread(backend, people[0]) == [(AT_ONCE - 1) * each]
