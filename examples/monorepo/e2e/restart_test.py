"""Services that go down in the middle of a conversation, seen by the people in it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from httpx import AsyncClient, ConnectError

from auth.testing import ServiceControl
from backend.testing import Person, create_thread, open_chat, refusal
from e2e.people import PASSWORD, logged_in, signed_up

ADA, GRACE = "ada@example.com", "grace@example.com"

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Two people and their thread."""

    ada: Person
    grace: Person
    thread: int


@pytest.fixture
async def conversation(auth: AsyncClient, backend: AsyncClient) -> Conversation:
    ada, grace = await signed_up(auth, ADA), await signed_up(auth, GRACE)
    return Conversation(ada=ada, grace=grace, thread=await create_thread(backend, ada, grace))


async def test_without_the_auth_service_who_has_a_token_goes_on(
    auth: AsyncClient, chat: str, other_chat: str, conversation: Conversation, service_control: ServiceControl
) -> None:
    async with open_chat(chat, conversation.ada) as from_ada:
        await service_control.kill("auth_server")
        with pytest.raises(ConnectError):
            await auth.get("/health")
        async with open_chat(other_chat, conversation.grace) as to_grace:
            assert await from_ada.chat(conversation.thread, "hello") == 1
            assert await to_grace.receive_messages(1) == [(1, "hello")]

        await service_control.start("auth_server")
        again = await logged_in(auth, ADA)
        assert await refusal(chat, again.headers) == 0
        assert await from_ada.chat(conversation.thread, "still here") == 2


@pytest.mark.parametrize(("how", "code"), [("stop", 1001), ("kill", 1006)])
async def test_backend_that_comes_back_knows_all_that_was_said(
    backend: AsyncClient,
    chat: str,
    other_chat: str,
    conversation: Conversation,
    service_control: ServiceControl,
    how: str,
    code: int,
) -> None:
    thread = conversation.thread
    async with open_chat(other_chat, conversation.grace) as from_grace:
        async with open_chat(chat, conversation.ada) as from_ada:
            await from_ada.chat(thread, "hello", client_id="1")
            await (service_control.kill("backend_server") if how == "kill" else service_control.stop("backend_server"))
            assert await from_ada.closed() == code
        assert await from_grace.chat(thread, "where are you?") == 2

        await service_control.start("backend_server")
        async with open_chat(chat, conversation.ada) as from_ada:
            assert from_ada.welcome["threads"] == [{"thread_id": thread, "last_number": 2}]
            assert await from_ada.chat(thread, "hello", client_id="1") == 1  # was it sent? better once more
            assert await from_ada.chat(thread, "back again", client_id="2") == 3
        assert await from_grace.receive_messages(3) == [(1, "hello"), (2, "where are you?"), (3, "back again")]
    said = await backend.get(f"/api/threads/{thread}/messages", headers=conversation.ada.headers)
    assert [message["text"] for message in said.json()["messages"]] == ["hello", "where are you?", "back again"]


async def test_conversation_goes_on_where_it_was_when_postgres_is_back(
    auth: AsyncClient, chat: str, other_chat: str, conversation: Conversation, service_control: ServiceControl
) -> None:
    async with open_chat(chat, conversation.ada) as from_ada, open_chat(other_chat, conversation.grace) as to_grace:
        await from_ada.chat(conversation.thread, "hello")
        await service_control.kill("db")
        await from_ada.send(type="chat", thread_id=conversation.thread, text="anybody?", client_id="2")
        assert (await from_ada.receive("error"))["error"] == "unavailable"
        refused = await auth.post("/auth/login", json={"email": ADA, "password": PASSWORD})
        assert refused.status_code == 503

        await service_control.start("db")
        assert (await logged_in(auth, ADA)).id == conversation.ada.id
        assert await from_ada.chat(conversation.thread, "anybody?", client_id="2") == 2
        assert await to_grace.receive_messages(2) == [(1, "hello"), (2, "anybody?")]


async def test_conversation_goes_on_when_redis_is_back_and_sessions_are_over(
    auth: AsyncClient, chat: str, other_chat: str, conversation: Conversation, service_control: ServiceControl
) -> None:
    async with open_chat(chat, conversation.ada) as from_ada, open_chat(other_chat, conversation.grace) as to_grace:
        await service_control.kill("cache")
        assert await from_ada.chat(conversation.thread, "hello") == 1
        assert (await auth.get("/auth/me", headers=conversation.ada.headers)).status_code == 503

        await service_control.start("cache")
        assert await to_grace.receive_messages(1) == [(1, "hello")]
        assert (await auth.get("/auth/me", headers=conversation.ada.headers)).status_code == 401
        again = await logged_in(auth, ADA)
        assert (await auth.get("/auth/me", headers=again.headers)).status_code == 200


async def test_everything_at_once(
    auth: AsyncClient, backend: AsyncClient, chat: str, conversation: Conversation, service_control: ServiceControl
) -> None:
    async with open_chat(chat, conversation.ada) as from_ada:
        await from_ada.chat(conversation.thread, "hello")
        down = ("backend_server", "backend_replica", "auth_server", "cache", "db")
        for service in down:
            await service_control.kill(service)
        assert await from_ada.closed() == 1006
    for service in reversed(down):
        await service_control.start(service)
    ada = await logged_in(auth, ADA)
    async with open_chat(chat, ada) as from_ada:
        assert from_ada.welcome["threads"] == [{"thread_id": conversation.thread, "last_number": 1}]
        assert await from_ada.chat(conversation.thread, "hello again") == 2
    assert (await backend.get("/health")).status_code == 200
