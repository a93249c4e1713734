"""Clients of the services that are no databases: HTTP, WebSocket, language models, and a test's files.

    async with ExternalServiceManager() as external:
        api = external.http("backend")
        await api.auth_signup("test@example.com", "password123")

Every client is new, so that no test sees another one's tokens, messages or files. They come from the services that this
process was given (`realservices.sources`), else from TEST_HTTP_URL, TEST_WEBSOCKET_URL and TEST_LLM_URL.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from typing import TYPE_CHECKING, Self

from realservices.clients.http_client import HttpClient
from realservices.clients.isolated_filesystem import new_filesystem
from realservices.clients.llm import LlmClient
from realservices.clients.websocket import WebSocketClient
from realservices.sources.errors import MissingServiceError
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from realservices.clients.isolated_filesystem import IsolatedFilesystem
    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services
    from realservices.sources.source import Declared

_LLM_KEY = "TEST_LLM_API_KEY"
_LLM_MODEL = "TEST_LLM_MODEL"
# What is missing, what to add for it, and what points at one that runs already.
_WANTED = {
    "http": ("a service with an HTTP address", "an executable_service", "TEST_HTTP_URL"),
    "websocket": (
        "a service that speaks WebSocket",
        "an executable_service with `websocket_url`, or @rules_realservices//services:websocket_relay",
        "TEST_WEBSOCKET_URL",
    ),
    "llm": ("a language model", "an llm_service", "TEST_LLM_URL"),
}


class ExternalServiceManager:
    """Makes clients and closes them.

    Args:
        services: Where services come from. None: what this process was given.
    """

    def __init__(self, services: Services | None = None) -> None:
        self._services = services if services is not None else find_services()
        self._context = contextvars.copy_context()
        self._clients: list[HttpClient | WebSocketClient | LlmClient] = []
        self._filesystems: list[IsolatedFilesystem] = []

    def http(self, name: str | None = None) -> HttpClient:
        """Return a new client of the named service, else of the first with an HTTP address.

        Raises:
            MissingServiceError: There is none.
        """
        endpoint = self._endpoint("http", name)
        client = HttpClient(endpoint.url, service=endpoint.name)
        self._clients.append(client)
        return client

    def websocket(self, name: str | None = None, token: str | None = None) -> WebSocketClient:
        """Return a new client of the named service, else of the first that speaks WebSocket.

        Args:
            name: The service.
            token: Sent as ``Authorization: Bearer``.

        Raises:
            MissingServiceError: There is none.
        """
        endpoint = self._endpoint("websocket", name)
        url = endpoint.websocket_url or endpoint.url
        # What reads for the client belongs to the manager, not to the test that asks for it.
        client = self._context.copy().run(WebSocketClient, url, token, service=endpoint.name)
        self._clients.append(client)
        return client

    def llm(self, name: str | None = None) -> LlmClient:
        """Return a new client of the named language model, else of the first: a service whose URL ends in ``/v1``.

        An external one (TEST_LLM_URL) gets the key in TEST_LLM_API_KEY and is asked for the model in TEST_LLM_MODEL.

        Raises:
            MissingServiceError: There is none.
        """
        endpoint = self._endpoint("llm", name)
        if endpoint.disposable:
            client = LlmClient(endpoint.url, service=endpoint.name)
        else:
            key, model = os.environ.get(_LLM_KEY, ""), os.environ.get(_LLM_MODEL, "")
            client = LlmClient(endpoint.url, key, model=model, service=endpoint.name)
        self._clients.append(client)
        return client

    def filesystem(self) -> IsolatedFilesystem:
        """Return a new, empty directory."""
        files = new_filesystem(self._services.sandbox)
        self._filesystems.append(files)
        return files

    async def close(self) -> None:
        """Close every client and remove every directory.

        Raises:
            BaseException: What closing a client raised, such as a WebSocket handler's exception; the others are
                closed all the same.
        """
        failures: list[BaseException] = []
        while self._clients:
            try:
                await self._clients.pop().close()
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - the others must be closed first
                failures.append(error)
        while self._filesystems:
            self._filesystems.pop().blocking.remove_all()
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup("several clients failed", failures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _speaking(self, wanted: str) -> list[Declared]:
        """Return the services that speak a protocol; a language model is the last of those that speak HTTP."""
        found = [service for service in self._services.declared() if wanted in service.speaks]
        return sorted(found, key=lambda service: wanted == "http" and "llm" in service.speaks)

    def _endpoint(self, wanted: str, name: str | None) -> Endpoint:
        # By name, any HTTP service may be a model: its API may have no version in its URL.
        protocol = "http" if wanted == "llm" and name is not None else wanted
        for service in self._speaking(protocol):
            if name in (None, service.name):
                return self._services.endpoint(service.kind, service.name)
        what, remedy, variable = _WANTED[wanted]
        if name is not None:
            what = f"a service {name!r} with a {wanted} address"
        declared = ", ".join(f"{service.name} ({service.kind})" for service in self._services.declared()) or "none"
        raise MissingServiceError(
            wanted,
            f"this test needs {what}; services of {self._services.label or 'this test'}: {declared}. Add {remedy} to "
            f"its `services`, or set {variable} to one that runs already (and ask for it without a name)",
        )


_managers: list[ExternalServiceManager] = []


def get_external_service_manager() -> ExternalServiceManager:
    """Return this process's manager. It is made at the first call."""
    if not _managers:
        _managers.append(ExternalServiceManager())
    return _managers[0]
