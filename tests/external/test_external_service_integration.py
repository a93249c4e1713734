"""The manager of external services: which service it takes, and what it says where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realservices import external_service_integration as external_services
from realservices.clients.errors import WebSocketError
from realservices.contract.runtime import Endpoint, Runtime
from realservices.external_service_integration import ExternalServiceManager
from realservices.sources.errors import MissingServiceError
from realservices.sources.external_services import ExternalServices
from realservices.sources.launched import LaunchedServices
from realservices.sources.services import Services
from tests.programs.running_program import RunningProgram
from tests.programs.scripted_model import ScriptedModel

_VARIABLES = ("TEST_HTTP_URL", "TEST_WEBSOCKET_URL", "TEST_LLM_URL", "TEST_LLM_API_KEY", "TEST_LLM_MODEL")


@pytest.fixture(autouse=True)
def _nothing_external(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)


def _endpoint(name: str, url: str, *, kind: str = "executable", websocket_url: str = "") -> Endpoint:
    return Endpoint(name, kind, f"//app:{name}", "127.0.0.1", 1, "", url, websocket_url=websocket_url)


def _manager(*endpoints: Endpoint) -> ExternalServiceManager:
    services = {endpoint.name: endpoint for endpoint in endpoints}
    runtime = Runtime("//app:test", "", "", "transaction", services, "")
    return ExternalServiceManager(Services([LaunchedServices(runtime)]))


_DB = _endpoint("db", "postgresql://127.0.0.1:1/x", kind="postgres")
_MODEL = _endpoint("model", "http://127.0.0.1:1/v1")
_RELAY = _endpoint("relay", "ws://127.0.0.1:2", websocket_url="ws://127.0.0.1:2")
_BACKEND = _endpoint("backend", "http://127.0.0.1:3", websocket_url="ws://127.0.0.1:3/ws")
_ADMIN = _endpoint("admin", "https://127.0.0.1:4")


def test_first_service_that_has_what_is_asked_for() -> None:
    manager = _manager(_DB, _MODEL, _RELAY, _BACKEND, _ADMIN)
    assert (manager.http().base_url, manager.http().service) == (_BACKEND.url, "backend")
    assert manager.websocket().url == _RELAY.url
    assert manager.llm().base_url == _MODEL.url


def test_service_by_name() -> None:
    manager = _manager(_DB, _MODEL, _RELAY, _BACKEND, _ADMIN)
    assert manager.http("admin").base_url == _ADMIN.url
    assert manager.websocket("backend", token="t").url == _BACKEND.websocket_url
    assert manager.websocket("backend", token="t").token == "t"
    assert manager.llm("backend").base_url == _BACKEND.url  # It may be an API without a version in its URL.


def test_http_service_that_only_looks_like_a_model_is_taken_where_there_is_no_other() -> None:
    assert _manager(_RELAY, _MODEL).http().base_url == _MODEL.url


def test_each_client_is_new() -> None:
    manager = _manager(_BACKEND)
    first, second = manager.http(), manager.http()
    first.tokens["access_token"] = "x"
    assert second.tokens == {}


def test_external_services(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as listeners:
        ports = [listeners.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
        urls = [f"http://127.0.0.1:{ports[0]}", f"ws://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[2]}/v1"]
        for name, value in zip(_VARIABLES, (*urls, "key", "m"), strict=True):
            monkeypatch.setenv(name, value)
        manager = ExternalServiceManager(Services([ExternalServices({})]))
        assert manager.http().base_url == urls[0]
        assert manager.websocket().url == urls[1]
        assert (manager.llm().base_url, manager.llm().model) == (urls[2], "m")
        assert _manager(_BACKEND).http().base_url == _BACKEND.url  # A service of the test's own comes first.
        with pytest.raises(MissingServiceError, match="'backend'"):
            manager.http("backend")


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("http", r"needs a service with an HTTP address; .* Add an executable_service to its .* set TEST_HTTP_URL to"),
        ("websocket", r"speaks WebSocket; .*//services:websocket_relay to its .* set TEST_WEBSOCKET_URL to"),
        ("llm", r"needs a language model; .* Add an llm_service to its .* set TEST_LLM_URL to"),
    ],
)
def test_missing_service_says_what_to_add(kind: str, remedy: str) -> None:
    with pytest.raises(MissingServiceError, match=remedy) as caught:
        getattr(_manager(_DB), kind)()
    assert caught.value.kind == kind
    assert "services of //app:test: db (postgres)." in str(caught.value)
    with pytest.raises(MissingServiceError, match=f"needs a service 'db' with a {kind} address"):
        getattr(_manager(_DB), kind)("db")
    with pytest.raises(MissingServiceError, match="services of this test: none"):
        getattr(ExternalServiceManager(Services([])), kind)()


def test_one_manager_per_process() -> None:
    assert external_services.get_external_service_manager() is external_services.get_external_service_manager()


@pytest_asyncio.fixture
async def urls() -> AsyncIterator[tuple[str, str]]:
    async with ScriptedModel().listening() as model:
        with RunningProgram("websocket_relay") as relay:
            yield model, relay.url


async def test_all_clients_against_real_servers(urls: tuple[str, str]) -> None:
    model, relay = urls
    health = relay.replace("ws:", "http:")
    endpoints = [_endpoint("model", model), _endpoint("relay", health, websocket_url=relay)]
    async with _manager(*endpoints) as external:
        assert await external.llm().complete("hi") == "user: hi"
        assert (await external.http().get("/health")).status_code == 200
        websocket = external.websocket()
        await websocket.send_message({"type": "a"})
        assert await websocket.receive_message() == {"type": "a"}
        files = external.filesystem()
        assert (await files.create_file("a")).exists()
        assert external.filesystem().root != files.root
    assert not files.root.exists()


@pytest.mark.parametrize("failing", [1, 2])
async def test_failure_of_a_client_does_not_keep_the_others_open(urls: tuple[str, str], failing: int) -> None:
    manager = _manager(_endpoint("relay", "ws://x", websocket_url=urls[1]))
    files, clients, failed = manager.filesystem(), [manager.websocket() for _ in range(3)], asyncio.Semaphore(0)

    async def fail(_: dict[str, Any]) -> None:
        failed.release()
        raise ValueError("by a handler")

    for client in clients:
        await client.send_message({"type": "here"})  # So that it is in the room.
    for client in clients[:failing]:
        client.register_message_handler("x", fail)
    await clients[-1].send_message({"type": "x"})
    for _ in range(failing):
        await failed.acquire()
    with pytest.raises(ValueError if failing == 1 else ExceptionGroup, match=r"by a handler|several clients failed"):
        await manager.close()
    assert not files.root.exists()
    for client in clients:
        with pytest.raises(WebSocketError, match="is closed"):
            await client.send_message({})
