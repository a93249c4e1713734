"""Fixtures of the tests over all services: clients of each, on stores that are put back after every test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from httpx import AsyncClient

from web.http_testing import client_of


@pytest.fixture
def database(comprehensive_test_environment: Mapping[str, Any]) -> Any:
    """The database that all servers use."""
    return comprehensive_test_environment["database"]


@pytest.fixture
def redis(comprehensive_test_environment: Mapping[str, Any]) -> Any:
    """The Redis that all servers use."""
    return comprehensive_test_environment["redis"]


@pytest.fixture
async def auth(database: Any, redis: Any) -> AsyncIterator[AsyncClient]:
    """A client of the auth service; with the stores, so that they are put back."""
    async with client_of(os.environ["REALSERVICES_AUTH_SERVER_URL"]) as client:
        yield client


@pytest.fixture
async def backend(database: Any, redis: Any) -> AsyncIterator[AsyncClient]:
    """A client of one backend's API."""
    async with client_of(os.environ["REALSERVICES_BACKEND_SERVER_URL"]) as client:
        yield client


@pytest.fixture
def chat() -> str:
    """Where that backend's chat is."""
    return f"ws://127.0.0.1:{os.environ['REALSERVICES_BACKEND_SERVER_CHAT_PORT']}/ws"


@pytest.fixture
def other_chat() -> str:
    """Where the other backend's chat is."""
    return f"ws://127.0.0.1:{os.environ['REALSERVICES_BACKEND_REPLICA_CHAT_PORT']}/ws"
