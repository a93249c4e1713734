"""A `DevLauncher` with clients, and what a test has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.dev.discovery import ServiceDiscovery
from realservices.dev.errors import StartupError
from realservices.dev.factory import TestClientFactory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from realservices.dev.launcher import DevLauncher
    from realservices.dev.test_clients import AuthTestClient, BackendTestClient, WebSocketTestClient

    WebSocketFactory = Callable[[str], Awaitable[WebSocketTestClient]]


class RealServicesManager:
    """Starts services and makes their clients.

    Args:
        dev_launcher: Starts them.

    Attributes:
        discovery: Where they are, once they have been started.
        client_factory: Makes clients, once they have been started.
    """

    def __init__(self, dev_launcher: DevLauncher) -> None:
        self.launcher = dev_launcher
        self.discovery = ServiceDiscovery()
        self.client_factory = TestClientFactory(self.discovery)

    async def start_all_services(self) -> None:
        """Start all services and wait until they are healthy.

        Raises:
            StartupError: One did not start.
            UnhealthyError: One does not get healthy.
        """
        if not await self.launcher.run():
            raise self.launcher.failure or StartupError("the services did not start")
        # Where the files are is known only now, and the factory may be in somebody's hands already.
        self.discovery.discovery_dir = self.launcher.discovery.discovery_dir
        await self.launcher.wait_for_healthy()


class RealServiceContext:
    """What a test has of running services.

    Attributes:
        auth_client, backend_client: The session's. Who is logged in there is forgotten after each test.

    Args:
        auth_client: See above.
        backend_client: See above.
        websocket_factory: Makes a WebSocket client for an access token.
    """

    def __init__(
        self, auth_client: AuthTestClient, backend_client: BackendTestClient, websocket_factory: WebSocketFactory
    ) -> None:
        self.auth_client = auth_client
        self.backend_client = backend_client
        self._make_websocket = websocket_factory
        self._websockets: list[WebSocketTestClient] = []

    async def websocket_factory(self, token: str) -> WebSocketTestClient:
        """Return a new WebSocket client that sends this access token. It is closed after the test."""
        client = await self._make_websocket(token)
        self._websockets.append(client)
        return client

    async def end_test(self) -> None:
        """Close the test's WebSockets, and log out.

        Raises:
            BaseException: What a message handler raised and no call of the test has raised yet.
        """
        self.auth_client.tokens.clear()
        self.backend_client.tokens.clear()
        while self._websockets:
            await self._websockets.pop().close()
