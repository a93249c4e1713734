"""Two backends as programs of their own, with their stores in view: what a test writes there, the programs read."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import pytest

from auth.testing import SIGNING_KEY, ServiceControl
from auth.tokens import AccessTokens
from backend.testing import Person, open_chat

REPLICA = "REALSERVICES_BACKEND_REPLICA_CHAT_PORT"

pytestmark = [
    pytest.mark.requires_postgres,
    pytest.mark.requires_redis,
    pytest.mark.realservices(http="backend_server", websocket="backend_server"),
]


@pytest.fixture
def environment(websocket_integration_environment: Mapping[str, Any]) -> Mapping[str, Any]:
    """One of the programs, as `http` and `websocket`, and `database` and `redis` of both, put back after each test."""
    return websocket_integration_environment


@pytest.fixture
async def people(environment: Mapping[str, Any]) -> list[Person]:
    """Two people with accounts, and with tokens by the programs' own clock."""
    tokens = AccessTokens(SIGNING_KEY, clock=time.time)
    people = []
    for email in ("ada@example.com", "grace@example.com"):
        user_id = await environment["database"].fetchval(
            "INSERT INTO users (email, password_hash) VALUES ($1, '$') RETURNING id", email
        )
        people.append(Person(id=user_id, token=tokens.issue(user_id=user_id, session_id="s")))
    return people


@pytest.fixture
async def thread(environment: Mapping[str, Any], ada: Person, grace: Person) -> int:
    reply = await environment["http"].post(
        "/api/threads", json={"title": "Hello", "members": [grace.id]}, headers=ada.headers
    )
    thread_id: int = reply.json()["thread_id"]
    return thread_id


@pytest.fixture
async def websocket(environment: Mapping[str, Any], ada: Person) -> Any:
    """Ada's WebSocket at the one program."""
    websocket = environment["websocket"]
    websocket.token = ada.token
    assert (await websocket.receive_message())["type"] == "welcome"
    return websocket


@pytest.fixture
def replica() -> str:
    """Where the other program's chat is."""
    return f"ws://127.0.0.1:{os.environ[REPLICA]}/ws"


@pytest.mark.parametrize("again", range(2))
async def test_message_is_in_the_stores_and_gone_after_the_test(
    environment: Mapping[str, Any], websocket: Any, thread: int, grace: Person, again: int
) -> None:
    await websocket.send_message({"type": "chat", "thread_id": thread, "text": f"hello {again}"})
    assert (await websocket.receive_message(type="ack"))["number"] == 1
    assert await environment["database"].fetchval("SELECT array_agg(text) FROM messages") == [f"hello {again}"]
    await websocket.send_message({"type": "none such"})  # whose answer comes when the message is told of
    await websocket.receive_message(type="error")
    assert await environment["redis"].hgetall(f"unread:{grace.id}") == {str(thread): "1"}


async def test_user_that_the_test_makes_is_shown(environment: Mapping[str, Any], ada: Person, grace: Person) -> None:
    reply = await environment["http"].get(f"/api/users/{grace.id}", headers=ada.headers)
    assert reply.json() == {"user_id": grace.id, "email": "grace@example.com"}


async def test_programs_speak_with_each_other(websocket: Any, thread: int, replica: str, grace: Person) -> None:
    async with open_chat(replica, grace) as there:
        await websocket.send_message({"type": "chat", "thread_id": thread, "text": "hello"})
        assert await there.receive_messages(1) == [(1, "hello")]
        await there.chat(thread, "hello yourself")
        texts = [(await websocket.receive_message(type="chat"))["text"] for _ in range(2)]
        assert texts == ["hello", "hello yourself"]


async def test_handlers_answer_messages_by_themselves(websocket: Any, thread: int, replica: str, grace: Person) -> None:
    def answer(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["sender_id"] != grace.id:
            return None
        return {"type": "chat", "thread_id": thread, "text": f"you said: {message['text']}"}

    websocket.register_message_handler("chat", answer)
    async with open_chat(replica, grace) as there:
        await there.chat(thread, "hello")
        assert await there.receive_messages(2) == [(1, "hello"), (2, "you said: hello")]


@pytest.mark.parametrize(("how", "code"), [("stop", 1001), ("kill", 1006)])
async def test_message_whose_answer_was_lost_is_sent_again_elsewhere(
    environment: Mapping[str, Any],
    thread: int,
    replica: str,
    ada: Person,
    grace: Person,
    service_control: ServiceControl,
    how: str,
    code: int,
) -> None:
    message = {"type": "chat", "thread_id": thread, "text": "hello", "client_id": "1"}
    async with open_chat(replica, grace) as there, open_chat(environment["websocket"].url, ada) as here:
        await here.send(**message)
        assert await there.receive_messages(1) == [(1, "hello")]
        await (service_control.kill("backend_server") if how == "kill" else service_control.stop("backend_server"))
        assert await here.closed() == code
        async with open_chat(replica, ada) as elsewhere:
            await elsewhere.send(**message)
            assert (await elsewhere.receive("ack"))["number"] == 1
            assert await elsewhere.chat(thread, "still me") == 2
        assert await there.receive_messages(1) == [(2, "still me")]
    await service_control.start("backend_server")
    async with open_chat(environment["websocket"].url, ada) as back:
        assert back.welcome["threads"] == [{"thread_id": thread, "last_number": 2}]
