"""The implementation plan's tests (3.1, 3.2 and 4.2), and what must hold beside them: nothing stays, nobody stays in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from realservices.client_factory import TestClientFactory
from realservices.clients.errors import HttpStatusError, WebSocketConnectError
from realservices.dev_launcher import LauncherConfig
from realservices.service_cache import ServiceCache
from realservices.service_discovery import ServiceDiscovery, UnknownServiceError

# A process that a test starts: it finds the same services, and leaves them alone.
_SCRIPT = """
import asyncio, json
from realservices.dev_launcher import DevLauncher

async def main():
    async with DevLauncher() as launcher:
        print(json.dumps({name: each.port for name, each in launcher.endpoints.items()}))

asyncio.run(main())
"""
# Each runs twice: the second time proves that the first has left nothing, although the services have committed.
_TWICE = pytest.mark.parametrize("attempt", [1, 2])


@_TWICE
async def test_websocket_auth_flow(real_services: Any, attempt: int) -> None:
    # Get auth token
    token = await real_services.auth_client.login("test@example.com", "password")

    # Connect WebSocket
    ws_client = await real_services.websocket_factory(token)
    await ws_client.connect()

    # Test real message flow
    await ws_client.send_chat("Hello")
    response = await ws_client.receive()
    assert response["type"] == "chat_response"

    assert response == {"type": "chat_response", "message": "Hello", "to": "test@example.com"}


@_TWICE
async def test_first_time_user_journey(real_services: Any, attempt: int) -> None:
    # Register user
    user = await real_services.auth_client.register(
        email="new@example.com",
        password="secure123"
    )  # fmt: skip

    # Login and get token
    token = await real_services.auth_client.login(user.email, "secure123")

    # Connect WebSocket
    ws = await real_services.websocket_factory(token)
    await ws.connect()

    # Complete onboarding flow
    await ws.send({"type": "onboarding_start"})
    # ... continue journey

    assert await ws.receive(type="onboarding_step") == {"type": "onboarding_step", "step": 1}
    assert (user.email, user.id) == ("new@example.com", 2)


async def test_nobody_is_logged_in_at_the_beginning(real_services: Any) -> None:
    assert real_services.auth_client.tokens == {}
    with pytest.raises(HttpStatusError, match="status 401"):
        await real_services.auth_client.login("new@example.com", "secure123")


async def test_a_wrong_token_is_refused(real_services: Any) -> None:
    ws = await real_services.websocket_factory("wrong&token")
    with pytest.raises(WebSocketConnectError, match=r"token=\.\.\."):
        await ws.connect()


async def test_the_backend_as_somebody(real_services: Any) -> None:
    real_services.backend_client.use_token("abc")
    response = await real_services.backend_client.get("/health")
    assert response.status_code == 200
    assert response.request.headers["Authorization"] == "Bearer abc"


async def test_where_services_are(real_services: Any, dev_launcher: Any) -> None:
    info = await ServiceDiscovery().get_service_info("auth")
    assert info.base_url == real_services.auth_client.base_url
    assert info.health_url == f"http://127.0.0.1:{info.port}/health"
    database = await dev_launcher.discovery.get_service_info("db")
    assert database.base_url == f"postgresql://127.0.0.1:{database.port}/test"
    text = "".join(path.read_text() for path in dev_launcher.discovery.discovery_dir.iterdir())
    passwords = [each.password for each in dev_launcher.endpoints.values() if each.password]
    assert len(passwords) == 2
    assert not [password for password in passwords if password in text]
    assert not Path(".service_discovery").exists()


async def test_clients_of_other_names(dev_launcher: Any, real_services: Any) -> None:
    factory = TestClientFactory(dev_launcher.discovery, auth="accounts")
    with pytest.raises(UnknownServiceError, match=r"no service 'accounts' in .*; there are auth, backend, cache, db"):
        await factory.create_auth_client()


async def test_services_are_cached(real_services: Any, dev_launcher: Any) -> None:
    config = LauncherConfig(dynamic_ports=True, test_mode=True, startup_timeout=30)
    launcher = await ServiceCache.get_or_create(config)
    assert await ServiceCache.get_or_create(config) is launcher
    assert launcher.endpoints == dev_launcher.endpoints
    await ServiceCache.close()


async def test_a_script_of_the_same_session(real_services: Any, dev_launcher: Any) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: each.port for name, each in dev_launcher.endpoints.items()}
    await dev_launcher.wait_for_healthy()
    assert (await real_services.backend_client.get("/health")).status_code == 200
