"""The auth service as its clients see it: real HTTP, PostgreSQL and Redis behind it, and ports that nobody chose."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient, Response

from auth.app import STATUS
from auth.errors import AuthError
from auth.server import serving
from auth.testing import CHEAP, SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock
from web.http_testing import TIMEOUT_S, client_of

ADA = {"email": "ada@example.com", "password": "password123"}

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def url(cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock) -> AsyncIterator[str]:
    """Where a server of the test's own listens."""
    async with serving(
        database_url=cloned_database.url, redis_url=isolated_redis.url, key=SIGNING_KEY, clock=clock, cost=CHEAP
    ) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncClient]:
    """A client of that server."""
    async with client_of(url) as client:
        yield client


async def me(client: AsyncClient, access_token: str) -> Response:
    return await client.get("/auth/me", headers={"Authorization": f"Bearer {access_token}"})


async def test_from_sign_up_to_logout(client: AsyncClient, isolated_redis: IsolatedRedis) -> None:
    signed_up = await client.post("/auth/signup", json=ADA)
    assert signed_up.status_code == 201
    assert signed_up.json().keys() >= {"access_token", "refresh_token", "session_id", "user_id"}

    logged_in = await client.post("/auth/login", json=ADA)
    assert logged_in.status_code == 200
    session_key = f"session:{logged_in.json()['session_id']}"
    assert await isolated_redis.get(session_key) is not None

    known = await me(client, logged_in.json()["access_token"])
    assert known.status_code == 200
    assert known.json() == {"user_id": signed_up.json()["user_id"], "email": "ada@example.com"}

    refreshed = await client.post("/auth/refresh", json={"refresh_token": logged_in.json()["refresh_token"]})
    assert refreshed.status_code == 200

    logged_out = await client.post("/auth/logout", json={"refresh_token": refreshed.json()["refresh_token"]})
    assert (logged_out.status_code, logged_out.content) == (204, b"")
    assert await isolated_redis.get(session_key) is None
    unknown = await me(client, refreshed.json()["access_token"])
    assert (unknown.status_code, unknown.json()["error"]) == (401, "session_ended")


async def test_every_refusal_has_its_status_and_its_code(client: AsyncClient, clock: ManualClock) -> None:
    grant = (await client.post("/auth/signup", json=ADA)).json()
    first, elsewhere = {"refresh_token": grant["refresh_token"]}, (await client.post("/auth/login", json=ADA)).json()
    await client.post("/auth/refresh", json=first)
    replies = [
        await client.post("/auth/signup", json=ADA),
        await client.post("/auth/signup", json={**ADA, "password": "short"}),
        await client.post("/auth/login", json={**ADA, "password": "password124"}),
        await client.post("/auth/refresh", json=first),
        await client.post("/auth/refresh", json=first),
        await client.post("/auth/refresh", json={"refresh_token": "made up"}),
        await client.get("/auth/me"),
    ]
    clock.advance(elsewhere["expires_in"])
    replies.append(await me(client, elsewhere["access_token"]))
    assert [(reply.status_code, reply.json()["error"]) for reply in replies] == [
        (409, "email_taken"),
        (400, "malformed_input"),
        (401, "wrong_credentials"),
        (401, "refresh_token_reused"),
        (401, "session_ended"),
        (401, "invalid_token"),
        (401, "invalid_token"),
        (401, "expired_token"),
    ]
    assert all(reply.json()["message"] for reply in replies)


def test_no_error_was_forgotten() -> None:
    assert set(AuthError.__subclasses__()) == set(STATUS)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/auth/signup", b"", 400),
        ("POST", "/auth/signup", b"{", 400),
        ("POST", "/auth/signup", b"\xff\xfe", 400),
        ("POST", "/auth/signup", b"[" * 60_000, 400),
        ("POST", "/auth/signup", b"[]", 400),
        ("POST", "/auth/signup", b"{}", 400),
        ("POST", "/auth/signup", b'{"email": "ada@example.com", "password": 12345678}', 400),
        ("POST", "/auth/signup", b'{"email": "ada@example.com", "password": "\\ud800 password"}', 400),
        ("POST", "/auth/signup", b'{"email": "ada\\u0000@example.com", "password": "password123"}', 400),
        ("POST", "/auth/signup", b" " * 70_000, 413),
        ("GET", "/auth/signup", b"", 405),
        ("POST", "/auth/nothing", b"{}", 404),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_malformed_request_is_refused_and_the_next_is_answered(
    client: AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    assert (await client.request(method, path, content=body)).status_code == status
    assert (await client.get("/health")).status_code == 200


async def test_of_many_sign_ups_at_once_one_wins(client: AsyncClient, cloned_database: ClonedDatabase) -> None:
    replies = await asyncio.gather(*(client.post("/auth/signup", json=ADA) for _ in range(12)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 11]
    assert await (await cloned_database.connect()).fetchval("SELECT count(*) FROM users") == 1


async def test_replicas_with_one_key_share_their_sessions(
    client: AsyncClient, cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis, clock: ManualClock
) -> None:
    grant = (await client.post("/auth/signup", json=ADA)).json()
    refresh = {"refresh_token": grant["refresh_token"]}
    async with (
        serving(
            database_url=cloned_database.url,
            redis_url=isolated_redis.url,
            key=SIGNING_KEY,
            clock=clock,
            cost=CHEAP,
        ) as url,
        client_of(url) as replica,
    ):
        assert (await me(replica, grant["access_token"])).status_code == 200
        assert (await replica.post("/auth/refresh", json=refresh)).status_code == 200
    assert (await client.post("/auth/refresh", json=refresh)).status_code == 401


async def test_as_a_program_it_takes_a_free_port_and_stops_when_told(
    cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis
) -> None:
    environment = {**os.environ, "DATABASE_URL": cloned_database.url, "REDIS_URL": isolated_redis.url}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "auth.server", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            url = (await program.stdout.readline()).decode().split()[-1]
            async with client_of(url) as client:
                assert (await client.get("/health")).status_code == 200
                assert (await client.post("/auth/signup", json=ADA)).status_code == 201
                assert (await client.post("/auth/login", json=ADA)).status_code == 200
            program.send_signal(signal.SIGTERM)
            assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert await isolated_redis.dbsize() == 2


async def test_program_says_what_it_lacks() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "auth.server", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TIMEOUT_S):
        _, stderr = await program.communicate()
    assert program.returncode == 2
    assert b"set DATABASE_URL and REDIS_URL in the environment" in stderr
