"""`TestClientFactory`: typed clients of the auth and backend services, by discovery."""

from __future__ import annotations

from realservices.dev.factory import TestClientFactory
from realservices.dev.test_clients import AuthTestClient, BackendTestClient, RegisteredUser, WebSocketTestClient

__all__ = ["AuthTestClient", "BackendTestClient", "RegisteredUser", "TestClientFactory", "WebSocketTestClient"]
