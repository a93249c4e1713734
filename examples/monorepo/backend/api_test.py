"""The HTTP API as its clients see it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
from httpx import AsyncClient

from auth.testing import SIGNING_KEY, ClonedDatabase, IsolatedRedis, ManualClock
from auth.tokens import AccessTokens
from backend.api import STATUS
from backend.errors import BackendError
from backend.testing import TIMEOUT_S, Person, create_thread
from web.http_testing import client_of

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


async def test_user_is_shown_to_users(client: AsyncClient, ada: Person, grace: Person) -> None:
    reply = await client.get(f"/api/users/{grace.id}", headers=ada.headers)
    assert (reply.status_code, reply.json()) == (200, {"user_id": grace.id, "email": "grace@example.com"})


async def test_threads_are_listed_for_their_members(client: AsyncClient, ada: Person, grace: Person) -> None:
    alone, both = await create_thread(client, ada), await create_thread(client, ada, grace, grace)
    listed = {"title": "Hello", "last_number": 0, "unread": 0}
    of_ada = await client.get("/api/threads", headers=ada.headers)
    assert of_ada.json() == {"threads": [{"thread_id": alone, **listed}, {"thread_id": both, **listed}]}
    of_grace = await client.get("/api/threads", headers=grace.headers)
    assert of_grace.json() == {"threads": [{"thread_id": both, **listed}]}


async def test_every_refusal_has_its_status_and_its_code(
    client: AsyncClient, ada: Person, grace: Person, clock: ManualClock
) -> None:
    alone = await create_thread(client, ada)
    stranger = AccessTokens(b"?" * 32, clock=clock).issue(user_id=ada.id, session_id="s")
    replies = [
        await client.get("/api/threads"),
        await client.get(f"/api/threads?token={ada.token}"),
        await client.get("/api/threads", headers={"Authorization": f"Bearer {stranger}"}),
        await client.get("/api/users/999999", headers=ada.headers),
        await client.get("/api/users/ada", headers=ada.headers),
        await client.get(f"/api/threads/{alone}/messages", headers=grace.headers),
        await client.get("/api/threads/999999/messages", headers=grace.headers),
        await client.post("/api/threads", json={"title": "Hello", "members": [999_999]}, headers=ada.headers),
        await client.delete("/api/threads", headers=ada.headers),
    ]
    clock.advance(86_400)
    replies.append(await client.get("/api/threads", headers=ada.headers))
    assert [(reply.status_code, reply.json()["error"]) for reply in replies] == [
        (401, "invalid_token"),
        (401, "invalid_token"),
        (401, "invalid_token"),
        (404, "unknown_user"),
        (404, "not_found"),
        (404, "unknown_thread"),
        (404, "unknown_thread"),
        (404, "unknown_user"),
        (405, "wrong_method"),
        (401, "expired_token"),
    ]
    assert all(reply.json()["message"] for reply in replies)


def test_no_error_was_forgotten() -> None:
    assert set(BackendError.__subclasses__()) == set(STATUS)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"title": "Hello"},
        {"title": "", "members": []},
        {"title": "x" * 201, "members": []},
        {"title": "\x00", "members": []},
        {"title": 7, "members": []},
        {"title": "Hello", "members": 7},
        {"title": "Hello", "members": ["1"]},
        {"title": "Hello", "members": [True]},
        {"title": "Hello", "members": [2**63]},
        {"title": "Hello", "members": [1] * 101},
    ],
    ids=lambda content: ascii(content)[:40],
)
async def test_malformed_thread_is_not_made(
    client: AsyncClient, ada: Person, cloned_database: ClonedDatabase, content: dict[str, object]
) -> None:
    reply = await client.post("/api/threads", json=content, headers=ada.headers)
    assert (reply.status_code, reply.json()["error"]) == (400, "malformed_input")
    assert await (await cloned_database.connect()).fetchval("SELECT count(*) FROM threads") == 0


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=1.5", "after=", "limit=" + "9" * 19])
async def test_malformed_query_is_refused(client: AsyncClient, ada: Person, thread: int, query: str) -> None:
    reply = await client.get(f"/api/threads/{thread}/messages?{query}", headers=ada.headers)
    assert (reply.status_code, reply.json()["error"]) == (400, "malformed_input")


async def test_as_a_program_it_takes_free_ports_and_stops_when_told(
    cloned_database: ClonedDatabase, isolated_redis: IsolatedRedis
) -> None:
    settings = {"DATABASE_URL": cloned_database.url, "REDIS_URL": isolated_redis.url}
    environment = {**os.environ, **settings, "AUTH_SIGNING_KEY": SIGNING_KEY.decode()}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "backend.server", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            url = (await program.stdout.readline()).decode().split()[-2]
            async with client_of(url) as client:
                assert (await client.get("/health")).status_code == 200
                assert (await client.get("/api/threads")).status_code == 401
            program.send_signal(signal.SIGTERM)
            assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


async def test_program_says_what_it_lacks() -> None:
    needed = {"DATABASE_URL", "REDIS_URL", "AUTH_SIGNING_KEY"}
    environment = {name: value for name, value in os.environ.items() if name not in needed}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "backend.server", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TIMEOUT_S):
        _, stderr = await program.communicate()
    assert program.returncode == 2
    assert b"set DATABASE_URL and REDIS_URL and AUTH_SIGNING_KEY in the environment" in stderr
