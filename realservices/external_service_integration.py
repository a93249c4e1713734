"""Clients of the services that are no databases: HTTP, WebSocket, language models, and a test's files.

    async with ExternalServiceManager() as external:
        api = external.http("backend")
        await api.auth_signup("test@example.com", "password123")

Every client is new, so that no test sees another one's tokens, messages or files. They come from the services that this
process was given (`realservices.sources`), else from TEST_HTTP_URL, TEST_WEBSOCKET_URL and TEST_LLM_URL.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from realservices.clients.filesystem import IsolatedFilesystem
from realservices.clients.http import HttpClient
from realservices.clients.llm import LlmClient
from realservices.clients.websocket import WebSocketClient
from realservices.sources.errors import MissingServiceError
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services

_KIND = "executable"
# The convention of OpenAI-compatible APIs, and how one is told from other HTTP services: its URL ends in the version.
_LLM_PATH = "/v1"
_VARIABLES = {"http": "TEST_HTTP_URL", "websocket": "TEST_WEBSOCKET_URL", "llm": "TEST_LLM_URL"}
_LLM_KEY = "TEST_LLM_API_KEY"
_LLM_MODEL = "TEST_LLM_MODEL"
_WANTED = {
    "http": "a service with an HTTP address: an executable_service",
    "websocket": (
        "a service that speaks WebSocket: an executable_service with `websocket_url`, or "
        "@rules_realservices//services:websocket_relay"
    ),
    "llm": "a language model: an llm_service",
}
_NUMBERS = itertools.count(1)


class ExternalServiceManager:
    """Makes clients and closes them.

    Args:
        services: Where services come from. None: what this process was given.
    """

    def __init__(self, services: Services | None = None) -> None:
        self._services = services if services is not None else find_services()
        self._clients: list[HttpClient | WebSocketClient | LlmClient] = []
        self._filesystems: list[IsolatedFilesystem] = []

    def http(self, name: str | None = None) -> HttpClient:
        """Return a new client of the named service, else of the first with an HTTP address.

        Raises:
            MissingServiceError: There is none.
        """
        endpoint = self._find("http", name, _http_url, but_not=_llm_url)
        client = HttpClient(_http_url(endpoint) if endpoint else self._attached("http", name), service=_name(endpoint))
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
        endpoint = self._find("websocket", name, lambda found: found.websocket_url)
        url = endpoint.websocket_url if endpoint else self._attached("websocket", name)
        client = WebSocketClient(url, token, service=_name(endpoint))
        self._clients.append(client)
        return client

    def llm(self, name: str | None = None) -> LlmClient:
        """Return a new client of the named language model, else of the first: a service whose URL ends in ``/v1``.

        An attached one (TEST_LLM_URL) gets the key in TEST_LLM_API_KEY and is asked for the model in TEST_LLM_MODEL.

        Raises:
            MissingServiceError: There is none.
        """
        endpoint = self._find("llm", name, _http_url if name else _llm_url)
        if endpoint:
            client = LlmClient(_http_url(endpoint), service=endpoint.name)
        else:
            key, model = os.environ.get(_LLM_KEY, ""), os.environ.get(_LLM_MODEL, "")
            client = LlmClient(self._attached("llm", name), key, model=model)
        self._clients.append(client)
        return client

    def filesystem(self) -> IsolatedFilesystem:
        """Return a new, empty directory."""
        above = Path(self._services.sandbox or tempfile.gettempdir())
        files = IsolatedFilesystem(above / f"files-{os.getpid()}-{next(_NUMBERS)}")
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

    def _find(
        self,
        wanted: str,
        name: str | None,
        url: Callable[[Endpoint], str],
        *,
        but_not: Callable[[Endpoint], str] | None = None,
    ) -> Endpoint | None:
        """Return the named service, or the first that has such a URL, preferably none that `but_not` knows."""
        kinds = {service.name: service.kind for service in self._services.declared()}
        if name is not None:
            endpoint = self._services.endpoint(kinds[name], name) if name in kinds else None
            return endpoint if endpoint and url(endpoint) else None
        names = [known for known, kind in kinds.items() if kind == _KIND]
        present = [found for found in (self._services.endpoint(_KIND, known) for known in names) if url(found)]
        first = [found for found in present if not (but_not and but_not(found))]
        return next(iter(first or present), None)

    def _attached(self, wanted: str, name: str | None) -> str:
        variable = _VARIABLES[wanted]
        url = os.environ.get(variable, "")
        if url and name is None:
            return url
        declared = ", ".join(f"{service.name} ({service.kind})" for service in self._services.declared()) or "none"
        target = self._services.label or "this test"
        means = f"a service {name!r} with a {wanted} address" if name is not None else _WANTED[wanted].split(":")[0]
        raise MissingServiceError(
            wanted,
            f"this test needs {means}; services of {target}: {declared}. "
            f"Add {_WANTED[wanted].partition(': ')[2]} to its `services`, "
            f"or set {variable} to one that runs already (and ask for it without a name)",
        )


_managers: list[ExternalServiceManager] = []


def get_external_service_manager() -> ExternalServiceManager:
    """Return this process's manager. It is made at the first call."""
    if not _managers:
        _managers.append(ExternalServiceManager())
    return _managers[0]


def _http_url(endpoint: Endpoint) -> str:
    return endpoint.url if urlsplit(endpoint.url).scheme in ("http", "https") else ""


def _llm_url(endpoint: Endpoint) -> str:
    return _http_url(endpoint) if urlsplit(endpoint.url).path.rstrip("/").endswith(_LLM_PATH) else ""


def _name(endpoint: Endpoint | None) -> str:
    return endpoint.name if endpoint else ""
