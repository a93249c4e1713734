"""Isolated Redis: an empty database of the test's own, and no way out of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import redis
import redis.asyncio
from redis.exceptions import NoPermissionError

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.redis.isolation.index_ranges import IndexRange
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.kinds.redis.isolation.refusals import ServerWideCommandError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.control.client import BlockingServiceControl
    from realservices.kinds.redis.isolation.clients import IsolatedRedis
    from realservices.kinds.redis.isolation.lease import RedisLease
    from realservices.sources.services import Services

_DEADLINE_S = 60.0


@pytest.fixture
def endpoint(services: Services) -> Endpoint:
    """The Redis service."""
    return services.endpoint("redis")


@pytest_asyncio.fixture
async def isolation(services: Services, endpoint: Endpoint) -> AsyncIterator[RedisIsolation]:
    """An isolation of the test's own."""
    made = RedisIsolation(endpoint, services.private)
    yield made
    await made.close_loop()
    made.close()


async def test_texts_come_back_as_texts(isolated_redis: redis.asyncio.Redis) -> None:
    await isolated_redis.set("user:1", "Ada")
    assert await isolated_redis.get("user:1") == "Ada"


async def test_both_clients_and_the_url_lead_to_one_database(isolated_redis: Any, isolated_redis_sync: Any) -> None:
    isolated_redis_sync.set("a", "1")
    assert await isolated_redis.get("a") == "1"
    assert isolated_redis.url == isolated_redis_sync.url
    async with redis.asyncio.Redis.from_url(isolated_redis.url, decode_responses=True) as other:
        assert await other.get("a") == "1"
        assert isolated_redis.database_index != 0


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("SWAPDB", "0", "1"),
        ("SELECT", "0"),
        ("MOVE", "a", "0"),
        ("SHUTDOWN", "NOSAVE"),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("CLIENT", "PAUSE", "1"),
        ("ACL", "SETUSER", "other", "on"),
        ("SCRIPT", "FLUSH"),
        ("FUNCTION", "FLUSH"),
        ("REPLICAOF", "NO", "ONE"),
        ("RESET",),
    ],
    ids=lambda command: " ".join(command),
)
async def test_commands_that_reach_other_tests_are_refused(isolated_redis: Any, command: tuple[str, ...]) -> None:
    await isolated_redis.set("a", "1")
    with pytest.raises(ServerWideCommandError, match="reach other tests"):
        await isolated_redis.execute_command(*command)
    assert await isolated_redis.get("a") == "1"


def test_refusals_reach_every_client(isolated_redis_sync: Any) -> None:
    with pytest.raises(ServerWideCommandError):
        isolated_redis_sync.flushall()
    with redis.Redis.from_url(isolated_redis_sync.url) as other:
        with pytest.raises(NoPermissionError):
            other.flushall()
        with pytest.raises(NoPermissionError):
            other.pipeline().set("a", 1).execute_command("SELECT", 0).execute()
        with pytest.raises(redis.ResponseError):
            other.eval("return redis.call('select', 0)", 0)


def test_a_refusal_in_a_script_says_what_to_do(isolated_redis_sync: Any) -> None:
    with pytest.raises(redis.ResponseError) as raised:
        isolated_redis_sync.eval("return redis.call('FLUSHALL')", 0)
    assert "use the command for one database (FLUSHDB for FLUSHALL)" in raised.value.__notes__[0]


async def test_what_monitor_says(isolated_redis: Any) -> None:
    with pytest.raises(NoPermissionError, match="would show what other tests do: a client of REDIS_URL may"):
        async with isolated_redis.monitor():
            pytest.fail("it was allowed")


async def test_what_belongs_to_one_database_is_allowed(isolated_redis: Any) -> None:
    async with isolated_redis.pipeline(transaction=True) as pipeline:
        await pipeline.set("a", "1").incr("a").execute()
    assert await isolated_redis.eval("return redis.call('get', KEYS[1])", 1, "a") == "2"
    await isolated_redis.flushdb()
    assert await isolated_redis.dbsize() == 0
    assert await isolated_redis.config_get("databases")
    async with isolated_redis.pubsub() as pubsub:
        await pubsub.subscribe("news")
        assert (await pubsub.get_message(timeout=5))["type"] == "subscribe"


@contextlib.asynccontextmanager
async def _client(isolation: RedisIsolation, lease: RedisLease, keep: bool) -> AsyncIterator[IsolatedRedis]:
    if keep:
        with isolation.client(lease) as client:
            yield client
    else:
        async with isolation.client_in_loop(lease) as client:
            yield client


@pytest.mark.parametrize("keep", [True, False])
async def test_leases_are_separate_and_empty(isolation: RedisIsolation, keep: bool) -> None:
    first = isolation.lease()
    async with _client(isolation, first, keep) as client:
        await client.set("a", "1")
    isolation.release(first)
    second = isolation.lease()
    async with _client(isolation, second, keep) as other:
        assert second.database_index != first.database_index
        assert await other.dbsize() == 0
        with pytest.raises(IsolationError, match="has ended"):
            await client.get("a")
    isolation.release(second)


def test_number_comes_back_empty(isolation: RedisIsolation, endpoint: Endpoint) -> None:
    first = isolation.lease()
    isolation.release(first)
    with redis.Redis.from_url(endpoint.url.rsplit("/", 1)[0] + f"/{first.database_index}") as program:
        program.set("late", "write")
    while (lease := isolation.lease()).database_index != first.database_index:
        isolation.release(lease)
    with isolation.client_sync(lease) as client:
        assert client.dbsize() == 0
    isolation.release(lease)


def test_memory_of_a_test_is_not_the_next_ones(isolation: RedisIsolation, endpoint: Endpoint) -> None:
    with redis.Redis.from_url(endpoint.url) as program:
        for _ in range(3):
            lease = isolation.lease()
            with isolation.client_sync(lease) as client:
                client.eval("for n = 1, 100000 do redis.call('set', 'k' .. n, n) end", 0)
            isolation.release(lease)
            assert program.info("memory")["lazyfree_pending_objects"] == 0


_STATES = (
    ("CLIENT", "SETNAME", "first"),
    ("MULTI",),
    ("WATCH", "a"),
    ("CLIENT", "NO-EVICT", "ON"),
    ("CLIENT", "TRACKING", "ON", "BCAST"),
)
# What CLIENT INFO says of a connection's state.
_TOLD = ("id", "flags", "name", "sub", "multi", "watch", "resp")


@pytest.mark.parametrize("state", _STATES, ids=lambda state: state[0])
async def test_connection_is_kept_and_its_state_is_not(isolation: RedisIsolation, state: tuple[str, ...]) -> None:
    fresh = None
    for _ in range(3):
        lease = isolation.lease()
        with isolation.client(lease) as client:
            described = await client.client_info()
            told = {name: described[name] for name in _TOLD}
            fresh = fresh or told
            assert told == fresh
            assert described["user"] == lease.client_user
            await client.execute_command(*state)
        isolation.release(lease)


@pytest.mark.parametrize("last", ["keys", "raw", "pipeline"])
async def test_state_after_what_changes_none(isolation: RedisIsolation, last: str) -> None:
    """Then the connection is renewed by another way: by all that it tells it is like a new one."""
    seen, seen_blocking = [], []
    for number in range(6):
        lease = isolation.lease()
        with isolation.client(lease) as client, isolation.client_sync(lease) as blocking:
            if number % 2:
                described: Any = await client.client_info()
                described_blocking: Any = blocking.client_info()
                seen.append({name: described[name] for name in _TOLD})
                seen_blocking.append({name: described_blocking[name] for name in _TOLD})
            assert (await client.incr("n"), blocking.incr("n")) == (1, 2)
            if last == "raw":
                await _send_by_hand(client)
                connection: Any = blocking.connection_pool.get_connection()
                connection.send_command("CLIENT", "SETNAME", "first")
                assert connection.read_response() in ("OK", b"OK")
                blocking.connection_pool.release(connection)
            elif last == "pipeline":
                blocking.pipeline().incr("n").execute()
                await client.pipeline().incr("n").execute()
        isolation.release(lease)
    assert seen == seen[:1] * 3
    assert seen_blocking == seen_blocking[:1] * 3


async def _send_by_hand(client: Any) -> None:
    connection = await client.connection_pool.get_connection()
    await connection.send_packed_command(connection.pack_command("CLIENT", "NO-EVICT", "ON"))
    await connection.read_response()
    await client.connection_pool.release(connection)


@pytest.mark.parametrize("words", [("REPLY", "SKIP"), ("REPLY", "OFF"), ("SETINFO", "lib-name", "mine")])
async def test_connection_whose_state_no_reset_ends_is_not_kept(
    isolation: RedisIsolation, words: tuple[str, ...]
) -> None:
    for _ in range(2):
        lease = isolation.lease()
        with isolation.client(lease) as client, isolation.client_sync(lease) as blocking:
            async with asyncio.timeout(_DEADLINE_S):
                assert not (await client.client_info()).get("lib-name")
            assert blocking.ping()
            pools: Any = client.connection_pool, blocking.connection_pool
            connection, other = await pools[0].get_connection(), pools[1].get_connection()
            if words:
                await connection.send_command("CLIENT", *words)
                other.send_command("CLIENT", *words)
            else:  # By hand, which nobody can look through.
                await connection.send_packed_command(b"CLIENT REPLY SKIP\r\n")
                other.send_packed_command(b"CLIENT REPLY SKIP\r\n")
            await pools[0].release(connection)
            pools[1].release(other)
        isolation.release(lease)


def test_blocking_connection_is_kept_and_its_state_is_not(isolation: RedisIsolation) -> None:
    seen = []
    for _ in range(3):
        lease = isolation.lease()
        with isolation.client_sync(lease) as client:
            described: Any = client.client_info()
            seen.append({name: described[name] for name in _TOLD})
            client.execute_command("CLIENT", "SETNAME", "first")
            client.execute_command("MULTI")
        isolation.release(lease)
    assert seen == seen[:1] * 3


async def test_connection_in_use_is_not_kept(isolation: RedisIsolation) -> None:
    first = isolation.lease()
    with isolation.client(first) as client:
        pubsub = client.pubsub()
        await pubsub.subscribe("news")
        waiting = asyncio.ensure_future(client.blpop(["queue"], timeout=60))
        async with asyncio.timeout(_DEADLINE_S):
            while not await client.client_list(_type="normal"):
                await asyncio.sleep(0)
    isolation.release(first)
    with pytest.raises(redis.exceptions.RedisError):
        await waiting
    second = isolation.lease()
    with isolation.client(second) as other:
        assert await other.publish("news", "x") == 0
        assert await other.lpush("queue", "x") == 1
        assert await other.llen("queue") == 1
    await pubsub.aclose()  # type: ignore[no-untyped-call]
    isolation.release(second)


async def test_lost_connection_is_replaced(isolation: RedisIsolation, endpoint: Endpoint) -> None:
    with redis.Redis.from_url(endpoint.url) as program:
        for _ in range(3):
            lease = isolation.lease()
            with isolation.client(lease) as client:
                number = await client.client_id()
                assert program.client_kill_filter(_id=str(number)) == 1
            isolation.release(lease)


async def test_connections_from_the_url_end_with_the_test(isolation: RedisIsolation) -> None:
    lease = isolation.lease()
    async with redis.asyncio.Redis.from_url(lease.url, single_connection_client=True) as program:
        await program.set("a", "1")
        isolation.release(lease)
        with pytest.raises(redis.exceptions.RedisError):
            await program.set("a", "1")


async def test_writer_with_another_account_is_found(isolation: RedisIsolation, endpoint: Endpoint) -> None:
    lease = isolation.lease()
    stop = asyncio.Event()

    async def write() -> None:
        address = endpoint.url.rsplit("/", 1)[0] + f"/{lease.database_index}"
        async with redis.asyncio.Redis.from_url(address) as program:
            while not stop.is_set():
                await program.eval("for n = 1, 2000 do redis.call('set', 'k' .. n, n) end", 0)

    def release_until_found() -> None:
        for _ in range(2000):
            isolation.release(lease)

    writer = asyncio.ensure_future(write())
    with pytest.raises(IsolationBrokenError, match=r"isolated_redis\.url"):
        await asyncio.to_thread(release_until_found)
    stop.set()
    await writer
    isolation.release(lease)


def test_lease_that_fails_refuses_no_later_one(
    isolation: RedisIsolation, service_control_sync: BlockingServiceControl
) -> None:
    service_control_sync.kill("redis")
    for _ in range(2):
        with pytest.raises(IsolationError, match="does not answer"):
            isolation.lease()
    service_control_sync.start("redis")
    lease = isolation.lease()
    with isolation.client_sync(lease) as client:
        assert client.set("a", "1")
    isolation.release(lease)


def test_release_and_restore_that_fail_refuse_no_later_lease(
    isolation: RedisIsolation, service_control_sync: BlockingServiceControl
) -> None:
    lease = isolation.lease()
    isolation.release(lease)
    service_control_sync.kill("redis")
    with pytest.raises(IsolationError, match="does not answer"):
        isolation.restore()  # A lease is prepared, with accounts that the server forgets.
    service_control_sync.start("redis")
    lease = isolation.lease()
    with isolation.client_sync(lease) as client:
        assert client.set("a", "1")
    service_control_sync.kill("redis")
    with pytest.raises(IsolationError, match="does not answer"):
        isolation.release(lease)
    service_control_sync.start("redis")
    isolation.release(isolation.lease())


def test_refused_command_does_not_confuse_later_ones(isolation: RedisIsolation) -> None:
    with pytest.raises(redis.ResponseError):
        isolation._call(("NO_SUCH_COMMAND",), ("ECHO", "one"))
    assert isolation._call(("ECHO", "two")) == [b"two"]


def test_processes_hold_different_indexes(endpoint: Endpoint, tmp_path: Path) -> None:
    small = dataclasses.replace(endpoint, databases=4)
    held = [IndexRange(small, str(tmp_path)) for _ in range(3)]
    assert {each.claim() for each in held} == {1, 2, 3}
    with pytest.raises(IsolationError, match="has 4 databases"):
        IndexRange(small, str(tmp_path))
    held.pop().close()
    held.append(IndexRange(small, str(tmp_path)))
    for each in held:
        each.close()


def test_numbers_of_a_range_take_turns(endpoint: Endpoint, tmp_path: Path) -> None:
    first, second = IndexRange(endpoint, str(tmp_path)), IndexRange(endpoint, str(tmp_path))
    ours, theirs = [first.claim() for _ in range(40)], [second.claim() for _ in range(40)]
    assert len(set(ours)) == (endpoint.databases - 1) // 32
    assert not {0, *theirs} & set(ours)
    first.close()
    second.close()
