"""`//services:websocket_relay` in a test action, by the package's own client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest_asyncio

from realservices.clients.websocket import WebSocketClient
from realservices.external_service_integration import ExternalServiceManager


@pytest_asyncio.fixture
async def external() -> AsyncIterator[ExternalServiceManager]:
    async with ExternalServiceManager() as manager:
        yield manager


async def test_guide_s_snippet(external: ExternalServiceManager) -> None:
    websocket = external.websocket()
    websocket.register_message_handler("user_created", lambda msg: {"type": "ack", "user_id": msg["user_id"]})
    await websocket.send_message({"type": "user_created", "user_id": 123})
    response = await websocket.receive_message(timeout=5.0)
    assert response["type"] == "ack"


async def test_others_in_the_room_hear_it(external: ExternalServiceManager) -> None:
    sender, listener = external.websocket("websocket_relay"), external.websocket("websocket_relay")
    await listener.send_message({"type": "here"})
    assert await listener.receive_message() == {"type": "here"}
    await sender.send_message({"type": "news"})
    assert await listener.receive_message() == {"type": "news"}


async def test_address_is_in_the_environment() -> None:
    async with WebSocketClient(os.environ["REALSERVICES_WEBSOCKET_RELAY_URL"] + "/room") as client:
        await client.send_message({"n": 1})
        assert await client.receive_message() == {"n": 1}
