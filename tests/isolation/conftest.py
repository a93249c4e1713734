"""Isolation objects of a test's own, on the target's real services."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services


@pytest.fixture(scope="session")
def services() -> Services:
    """The services of this target."""
    return find_services()


@pytest.fixture(scope="session")
def postgres_endpoint(services: Services) -> Endpoint:
    """The PostgreSQL service."""
    return services.endpoint("postgres")


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    """A background loop of the test's own."""
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def none_ready(postgres_endpoint: Endpoint) -> ReadyDatabases:
    """No database that was made beforehand: those belong to the session's own fixtures."""
    return ReadyDatabases(dataclasses.replace(postgres_endpoint, ready_databases=()), "")


@pytest_asyncio.fixture
async def postgres(
    postgres_endpoint: Endpoint, background: BackgroundLoop, none_ready: ReadyDatabases
) -> AsyncIterator[PostgresIsolation]:
    """A PostgreSQL isolation of the test's own, so that one that a test breaks is nobody else's."""
    isolation = PostgresIsolation(postgres_endpoint, background, none_ready)
    yield isolation
    await isolation.close_loop()
    isolation.close(drop=True)
