"""`TestClientFactory`: typed clients of the auth and backend services, by discovery."""

from __future__ import annotations

from realservices.dev.clients import AuthTestClient, BackendTestClient, RegisteredUser, WebSocketTestClient
from realservices.dev.factory import TestClientFactory

__all__ = ["AuthTestClient", "BackendTestClient", "RegisteredUser", "TestClientFactory", "WebSocketTestClient"]
