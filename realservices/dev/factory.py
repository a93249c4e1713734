"""Clients of services by name: what each is called, and how a test's WebSocket is addressed."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING
from urllib.parse import quote

from realservices.dev.test_clients import AuthTestClient, BackendTestClient, WebSocketTestClient

if TYPE_CHECKING:
    from realservices.dev.discovery import ServiceDiscovery

_WEBSOCKET_PATH = "/ws"


class TestClientFactory:
    """Makes clients; nothing is connected before they are used.

    Args:
        discovery: Where the services are.
        auth: What the auth service is called.
        backend: What the backend is called.
    """

    __test__ = False  # The name is the domain's; pytest must not collect it.

    def __init__(self, discovery: ServiceDiscovery, *, auth: str = "auth", backend: str = "backend") -> None:
        self.discovery = discovery
        self._auth = auth
        self._backend = backend
        # The reader of a WebSocket belongs to the code that makes the factory, not to the test that wants the client.
        self._context = contextvars.copy_context()
        self._clients: list[AuthTestClient | BackendTestClient | WebSocketTestClient] = []

    async def create_auth_client(self) -> AuthTestClient:
        """Return a client of the auth service.

        Raises:
            DiscoveryError: It is not there.
        """
        info = await self.discovery.get_service_info(self._auth)
        client = AuthTestClient(info.base_url, service=info.name)
        self._clients.append(client)
        return client

    async def create_backend_client(self) -> BackendTestClient:
        """Return a client of the backend.

        Raises:
            DiscoveryError: It is not there.
        """
        info = await self.discovery.get_service_info(self._backend)
        client = BackendTestClient(info.base_url, service=info.name)
        self._clients.append(client)
        return client

    async def create_websocket_client(self, token: str) -> WebSocketTestClient:
        """Return a client of the backend's WebSocket: its declared `websocket_url`, else ``/ws``, with ``?token=``.

        Args:
            token: An access token, as `AuthTestClient.login` returns it.

        Raises:
            DiscoveryError: It is not there.
        """
        info = await self.discovery.get_service_info(self._backend)
        url = info.websocket_url or f"ws://{info.host}:{info.port}{_WEBSOCKET_PATH}"
        url = f"{url}{'&' if '?' in url else '?'}token={quote(token, safe='')}"
        client = self._context.copy().run(WebSocketTestClient, url, service=info.name)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Close every client of this factory that is still open."""
        while self._clients:
            await self._clients.pop().close()
