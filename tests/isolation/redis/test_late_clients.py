"""What a test has left running does not reach a later one, even one on the same database index."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import redis
import redis.asyncio
from redis.exceptions import RedisError

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.redis.isolation.lease import RedisLease

_DEADLINE_S = 60.0


@pytest.fixture
def endpoint() -> Endpoint:
    """The Redis service."""
    return find_services().endpoint("redis")


@pytest_asyncio.fixture
async def isolation(endpoint: Endpoint, tmp_path: Path) -> AsyncIterator[RedisIsolation]:
    """An isolation of the test's own."""
    made = RedisIsolation(endpoint, str(tmp_path))
    yield made
    await made.close_loop()
    made.close()


@contextlib.contextmanager
def _on_index(isolation: RedisIsolation, index: int) -> Iterator[RedisLease]:
    """Lease databases until this one comes again."""
    while (lease := isolation.lease()).database_index != index:
        isolation.release(lease)
    yield lease
    isolation.release(lease)


def _by_url(client: Any) -> Any:
    return redis.Redis.from_url(client.url)


def _by_a_pool_of_the_same_arguments(client: Any) -> Any:
    """As rq makes a client for another thread."""
    pool = client.connection_pool
    arguments = {"connection_class": pool.connection_class, **pool.connection_kwargs}
    return redis.Redis(connection_pool=redis.ConnectionPool(**arguments))


@pytest.mark.parametrize("make", [_by_url, _by_a_pool_of_the_same_arguments])
def test_a_client_that_a_test_has_made(isolation: RedisIsolation, make: Callable[[Any], Any]) -> None:
    lease = isolation.lease()
    with isolation.client_sync(lease) as client:
        other = make(client)
        other.set("a", 1)
        assert client.get("a") == "1"
    isolation.release(lease)
    with _on_index(isolation, lease.database_index) as later, isolation.client_sync(later) as client:
        with pytest.raises(RedisError):
            other.set("a", 2)
        assert client.dbsize() == 0


def test_a_thread_that_waits_for_work(isolation: RedisIsolation) -> None:
    lease = isolation.lease()
    found: list[Any] = []
    is_at_work = threading.Event()

    def work(client: Any) -> None:
        while True:
            is_at_work.set()
            try:
                found.append(client.blpop(["queue"], timeout=60))
            except IsolationError:
                return
            except RedisError:
                continue

    with isolation.client_sync(lease) as client:
        worker = threading.Thread(target=work, args=[client])
        worker.start()
        is_at_work.wait()
        deadline = time.monotonic() + _DEADLINE_S
        while "cmd=blpop" not in client.execute_command("CLIENT", "LIST", "TYPE", "normal"):
            assert time.monotonic() < deadline
    isolation.release(lease)
    with _on_index(isolation, lease.database_index) as later, isolation.client_sync(later) as client:
        client.lpush("queue", "x")
        worker.join()
        assert (found, client.llen("queue")) == ([], 1)


@pytest.mark.parametrize("steps", range(6))
async def test_a_task_that_is_being_given_the_connection(isolation: RedisIsolation, steps: int) -> None:
    lease = isolation.lease()
    with isolation.client(lease, decode=False) as client:
        await client.ping()
        waiting = asyncio.ensure_future(client.blpop(["queue"], timeout=60))
        for _ in range(steps):
            await asyncio.sleep(0)
    isolation.release(lease)
    with _on_index(isolation, lease.database_index) as later, isolation.client(later, decode=False) as client:
        assert [await client.lpush("queue", "x"), await client.get("a"), await client.llen("queue")] == [1, None, 1]
        with pytest.raises((RedisError, IsolationError)):
            await waiting


def _fail(*_: Any, **__: Any) -> Any:
    raise LookupError


async def test_answers_that_a_test_has_not_read(isolation: RedisIsolation) -> None:
    """redis-py leaves them in the connection where reading one of a pipeline fails."""
    for _ in range(3):
        lease = isolation.lease()
        with isolation.client(lease) as client, isolation.client_sync(lease) as blocking:
            for each in (client, blocking):
                each.response_callbacks["ECHO"] = _fail
            assert (await client.incr("n"), blocking.incr("n")) == (1, 2)
            with pytest.raises(LookupError):
                blocking.pipeline(transaction=False).execute_command("ECHO", "x").ping().ping().ping().execute()
            with pytest.raises(LookupError):
                await client.pipeline(transaction=False).execute_command("ECHO", "x").ping().ping().ping().execute()
        isolation.release(lease)


def test_callbacks_of_a_test_end_with_it(isolation: RedisIsolation) -> None:
    for _ in range(2):
        lease = isolation.lease()
        with isolation.client_sync(lease) as made:
            client: Any = made
            assert client.ping() is True
            client.response_callbacks.clear()
            assert client.ping() == "PONG"
        isolation.release(lease)


async def test_raw_answers_are_those_of_a_plain_client(
    endpoint: Endpoint, isolated_redis: Any, isolated_redis_sync: Any
) -> None:
    """Their shapes depend on the protocol, of which redis-py has another one since version 8."""
    words = "CONFIG", "GET", "databases"
    with redis.Redis.from_url(endpoint.url, decode_responses=True) as plain:
        expected: Any = plain.execute_command(*words)
    for _ in range(2):
        assert isolated_redis_sync.execute_command(*words) == expected
        assert await isolated_redis.execute_command(*words) == expected


def test_reset_in_a_pipeline_is_refused(isolated_redis_sync: Any) -> None:
    pipeline = isolated_redis_sync.pipeline(transaction=False).execute_command("RESET").set("a", 1)
    with pytest.raises(redis.exceptions.NoPermissionError, match="would end the login, and select index 0"):
        pipeline.execute()
    assert isolated_redis_sync.dbsize() == 0


def test_threads_that_begin_together(isolation: RedisIsolation) -> None:
    for _ in range(5):
        lease = isolation.lease()
        with isolation.client_sync(lease) as client:
            answers: list[Any] = []
            start = threading.Barrier(8)

            def work(client: Any = client, start: Any = start, answers: list[Any] = answers) -> None:
                start.wait()
                answers.append(client.incr("a"))

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(answers) == list(range(1, 9))
        isolation.release(lease)
