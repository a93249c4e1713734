"""Fixtures of the backend's tests: two people, a backend of the test's own, and an HTTP client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from auth.testing import SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock
from backend.server import Addresses, serving
from backend.testing import Person, create_thread, sign_up
from web.http_testing import client_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def people(cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock) -> list[Person]:
    database = await cloned_database.connect()
    return [
        await sign_up(email, database=database, redis=isolated_redis, clock=clock)
        for email in ("ada@example.com", "grace@example.com")
    ]


@pytest.fixture
def ada(people: list[Person]) -> Person:
    return people[0]


@pytest.fixture
def grace(people: list[Person]) -> Person:
    return people[1]


@pytest.fixture
async def backend(
    cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock
) -> AsyncIterator[Addresses]:
    """A backend of the test's own."""
    async with serving(
        database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, clock=clock
    ) as addresses:
        yield addresses


@pytest.fixture
async def client(backend: Addresses) -> AsyncIterator[AsyncClient]:
    """A client of its API."""
    async with client_of(backend.http) as client:
        yield client


@pytest.fixture
async def thread(client: AsyncClient, ada: Person, grace: Person) -> int:
    """A thread of Ada's and Grace's."""
    return await create_thread(client, ada, grace)
