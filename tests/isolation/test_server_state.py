"""Databases that running servers use: one test at a time has them, and the next finds them as the first did."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import asyncpg
import pytest
import redis

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.server_state import ServerState, servers_stores
from realservices.sources.source import Declared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.control.client import BlockingServiceControl
    from realservices.isolation.background import BackgroundLoop
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase
    from realservices.sources.services import Services

# Holds the lock as another process's test would, until its standard input ends.
_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_stores_are_what_executables_need_directly_or_not() -> None:
    services = [
        Declared("db", "postgres"),
        Declared("other_db", "postgres"),
        Declared("cache", "redis"),
        Declared("auth", "executable", ["db"]),
        Declared("backend", "executable", ["auth", "cache"]),
    ]
    assert servers_stores(services) == {
        "auth": {"db": "postgres"},
        "backend": {"cache": "redis", "db": "postgres"},
    }
    assert servers_stores(services[:3]) == {}


@pytest.fixture
def postgres_store(postgres_endpoint: Endpoint, cloned_database: ClonedDatabase) -> Endpoint:
    """A database of this test's own, in the place of the one that servers would use."""
    return dataclasses.replace(postgres_endpoint, database=cloned_database.name, url=cloned_database.url)


@pytest.fixture
def redis_store(services: Services) -> Endpoint:
    """The database that programs have by REDIS_URL; no other test of this target uses it."""
    return services.endpoint("redis")


@pytest.fixture
def state(
    postgres_store: Endpoint, redis_store: Endpoint, background: BackgroundLoop, tmp_path: Path
) -> Iterator[ServerState]:
    stores = {"postgres": postgres_store, "redis": redis_store}
    kinds = {store.name: store.kind for store in stores.values()}
    made = ServerState({"server": kinds}, lambda kind, _: stores.get(kind, postgres_store), background, str(tmp_path))
    yield made
    made.close()


@pytest.fixture
async def server(postgres_store: Endpoint) -> AsyncIterator[asyncpg.Connection]:
    """A server's connection, which lives longer than any test."""
    connection = await asyncpg.connect(postgres_store.url)
    await connection.execute("CREATE TABLE users (id serial PRIMARY KEY, email text)")
    yield connection
    connection.terminate()


@pytest.fixture
def cache(redis_store: Endpoint) -> Iterator[redis.Redis]:
    """A server's Redis connection."""
    with redis.Redis.from_url(redis_store.url) as client:
        yield client
        client.flushdb()


async def test_each_test_finds_what_the_first_found(
    state: ServerState, server: asyncpg.Connection, cache: redis.Redis
) -> None:
    await server.execute("INSERT INTO users (email) VALUES ('ada@example.com')")
    cache.set("from the start", b"\x00\xff")
    cache.rpush("list", "a", "b")
    cache.set("mortal", "x", px=60_000)
    for _ in range(3):
        state.enter()
        assert await server.fetchval("INSERT INTO users (email) VALUES ('grace@example.com') RETURNING id") == 2
        cache.set("session:1", "new")
        cache.delete("list")
        cache.set("from the start", "changed")
        state.leave()
        assert await server.fetchval("SELECT array_agg(email) FROM users") == ["ada@example.com"]
        assert sorted(cache.keys()) == [b"from the start", b"list", b"mortal"]
        assert cache.get("from the start") == b"\x00\xff"
        assert cache.lrange("list", 0, -1) == [b"a", b"b"]
        assert 0 < cache.pttl("mortal") <= 60_000
        assert cache.pttl("list") == -1


async def test_entering_that_failed_is_no_entering(
    state: ServerState, server: asyncpg.Connection, service_control_sync: BlockingServiceControl
) -> None:
    service_control_sync.stop("redis")
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            state.enter()
    service_control_sync.start("redis")
    state.enter()
    await server.execute("INSERT INTO users (email) VALUES ('grace@example.com')")
    state.leave()
    assert await server.fetchval("SELECT count(*) FROM users") == 0


async def test_what_cannot_be_restored_leaves_nothing_else_as_it_is(
    state: ServerState,
    server: asyncpg.Connection,
    cache: redis.Redis,
    postgres_store: Endpoint,
    service_control_sync: BlockingServiceControl,
) -> None:
    state.enter()
    await server.execute("INSERT INTO users (email) VALUES ('grace@example.com')")
    cache.set("left", "behind")
    service_control_sync.stop("postgres")
    with pytest.raises((OSError, asyncpg.PostgresError)):
        state.leave()
    assert cache.keys() == []
    service_control_sync.start("postgres")
    state.enter()
    connection = await asyncpg.connect(postgres_store.url)
    assert await connection.fetchval("SELECT count(*) FROM users") == 0
    await connection.close()
    state.leave()


async def test_leaving_without_entering_touches_nothing(
    state: ServerState, server: asyncpg.Connection, cache: redis.Redis
) -> None:
    cache.set("mine", "1")
    state.leave()
    assert cache.get("mine") == b"1"


async def test_two_processes_take_turns(state: ServerState, server: asyncpg.Connection, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "servers.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        thread = threading.Thread(target=state.enter)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        other.stdin.close()
        thread.join(10)
        assert not thread.is_alive()
    state.leave()


async def test_a_changed_schema_is_reported_and_the_database_made_anew(
    state: ServerState, server: asyncpg.Connection, postgres_store: Endpoint
) -> None:
    state.enter()
    await server.execute("CREATE TABLE surprise (id int)")
    with pytest.raises(IsolationBrokenError, match=r"made public\.surprise.*made anew from its template"):
        state.leave()
    again = await asyncpg.connect(postgres_store.url)
    assert await again.fetchval("SELECT to_regclass('surprise')") is None
    await again.close()
    state.enter()
    state.leave()


async def test_a_restarted_connection_is_made_again(state: ServerState, server: asyncpg.Connection) -> None:
    state.enter()
    state.leave()
    await server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    state.enter()
    await server.execute("INSERT INTO users (email) VALUES ('ada@example.com')")
    state.leave()
    assert await server.fetchval("SELECT count(*) FROM users") == 0
