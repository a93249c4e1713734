"""What clients see while PostgreSQL or Redis is down, and that nothing has to be restarted when they are back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from auth.server import serving
from auth.testing import CHEAP, SIGNING_KEY, ClonedDatabase, IsolatedRedis, ServiceControl
from web.http_testing import client_of

ADA = {"email": "ada@example.com", "password": "password123"}
BOB = {"email": "bob@example.com", "password": "password123"}
HANGING_S = 6  # far above what a health check may take, and below what its server waits for any other answer

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
async def client(cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis) -> AsyncIterator[AsyncClient]:
    """A client of a server of the test's own."""
    async with (
        serving(database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, cost=CHEAP) as url,
        client_of(url) as client,
    ):
        yield client


async def status(client: AsyncClient, path: str, content: dict[str, str]) -> int:
    return (await client.post(path, json=content)).status_code


async def health(client: AsyncClient) -> int:
    return (await client.get("/health")).status_code


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_without_postgres_requests_are_put_off_and_nothing_is_lost(
    client: AsyncClient, service_control: ServiceControl, how: str
) -> None:
    grant = (await client.post("/auth/signup", json=ADA)).json()
    assert await health(client) == 200

    await (service_control.kill("db") if how == "kill" else service_control.stop("db"))
    assert await health(client) == 503
    assert await status(client, "/auth/login", ADA) == 503
    assert await status(client, "/auth/signup", BOB) == 503

    await service_control.start("db")
    assert await health(client) == 200
    assert await status(client, "/auth/login", ADA) == 200
    assert await status(client, "/auth/signup", BOB) == 201
    assert await status(client, "/auth/refresh", {"refresh_token": grant["refresh_token"]}) == 200


async def test_without_redis_nobody_signs_in_and_accounts_are_kept(
    client: AsyncClient, service_control: ServiceControl
) -> None:
    grant = (await client.post("/auth/signup", json=ADA)).json()

    await service_control.kill("cache")
    assert await health(client) == 503
    assert await status(client, "/auth/login", ADA) == 503
    assert await status(client, "/auth/signup", BOB) == 503

    await service_control.start("cache")
    assert await health(client) == 200
    assert await status(client, "/auth/refresh", {"refresh_token": grant["refresh_token"]}) == 401
    assert await status(client, "/auth/login", ADA) == 200
    assert await status(client, "/auth/signup", BOB) == 409  # the account was made, only the session was not
    assert await status(client, "/auth/login", BOB) == 200


@pytest.mark.parametrize("service", ["db", "cache"])
async def test_health_does_not_hang_with_the_service(
    client: AsyncClient, service_control: ServiceControl, service: str
) -> None:
    assert await health(client) == 200
    await service_control.pause(service)
    async with asyncio.timeout(HANGING_S):
        assert await health(client) == 503
    await service_control.resume(service)
    assert await health(client) == 200
