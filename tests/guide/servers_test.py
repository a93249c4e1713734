"""The migration guide's examples that speak with servers: the application's over HTTP, and a WebSocket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guide.application import hash_password

# Each example runs twice: the second time proves that the first has left nothing, although servers have committed.
_TWICE = pytest.mark.parametrize("attempt", [1, 2])


@_TWICE
async def test_websocket_events(websocket_integration_environment: Any, attempt: int) -> None:
    websocket = websocket_integration_environment["websocket"]

    websocket.register_message_handler(
        "user_created",
        lambda msg: {"type": "ack", "user_id": msg["user_id"]},
    )

    await websocket.send_message(
        {
            "type": "user_created",
            "user_id": 123,
        }
    )

    response = await websocket.receive_message(timeout=5.0)
    assert response["type"] == "ack"


@_TWICE
async def test_api_call(auth_service_integration_environment: Any, attempt: int) -> None:
    http_client = auth_service_integration_environment["http"]

    response = await http_client.auth_signup(
        "test@example.com",
        "password123",
    )

    assert "access_token" in response
    assert "refresh_token" in response


@_TWICE
async def test_login_flow(auth_service_integration_environment: Any, attempt: int) -> None:
    db = auth_service_integration_environment["database"]
    http = auth_service_integration_environment["http"]
    redis = auth_service_integration_environment["redis"]

    user_id = await db.fetchval(
        "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING id",
        "test@example.com",
        hash_password("password123"),
    )
    assert user_id == 1, "the sequence starts anew for each test"

    login_response = await http.auth_login(
        "test@example.com",
        "password123",
    )

    session_key = f"session:{login_response['session_id']}"
    session_data = await redis.get(session_key)
    assert session_data is not None
    assert await redis.dbsize() == 1


@_TWICE
async def test_complete_user_workflow(comprehensive_test_environment: Any, attempt: int) -> None:
    db = comprehensive_test_environment["database"]
    redis = comprehensive_test_environment["redis"]
    websocket = comprehensive_test_environment["websocket"]
    http = comprehensive_test_environment["http"]

    user_id = await db.fetchval(
        "INSERT INTO users (email) VALUES ($1) RETURNING id",
        "test@example.com",
    )

    await redis.set(f"user:{user_id}", "test@example.com")

    await websocket.send_message(
        {
            "type": "user_created",
            "user_id": user_id,
        }
    )

    notification = await websocket.receive_message()
    assert notification["type"] == "user_created"

    response = await http.get(f"/api/users/{user_id}")
    assert response.status_code == 200


async def test_complex(comprehensive_test_environment: Any) -> None:
    db = comprehensive_test_environment["database"]
    cache = comprehensive_test_environment["redis"]
    websocket = comprehensive_test_environment["websocket"]
    assert await db.fetchval("SELECT count(*) FROM users") == 0
    assert await cache.dbsize() == 0
    await websocket.send_message({"type": "hello"})
    assert await websocket.receive_message() == {"type": "hello"}
