"""Random tests over the clients of an isolated Redis and over a plain one.

Both must answer the same. Each test finds an empty database and the server as it was, whatever the one before has left.
A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from redis.exceptions import RedisError

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.kinds.redis.isolation.leftovers import Leftovers
from realservices.sources.services import find_services
from tests.isolation.redis import operations
from tests.isolation.redis.leavings import KEY, LEAVINGS, Test
from tests.isolation.redis.operations import result_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint

_TESTS = 25 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_MOST_STEPS = 14
_MOST_LATE = 5
_LOADED = hashlib.sha1(b"return 'loaded'").hexdigest()
_FRESH = {"name": "", "sub": "0", "psub": "0", "multi": "-1", "watch": "0", "lib-name": "", "lib-ver": ""}
_CONNECTION_ID = re.compile(r"b?'id'[,:] \d+")
_WAYS = ("asyncio", "asyncio", "blocking", "blocking", "url", "url_asyncio")


@pytest.fixture
def endpoint() -> Endpoint:
    return find_services().endpoint("redis")


@pytest.fixture
async def isolation(endpoint: Endpoint, tmp_path: Path) -> AsyncIterator[RedisIsolation]:
    made = RedisIsolation(endpoint, str(tmp_path), leftovers=Leftovers(endpoint, str(tmp_path)))
    yield made
    await made.close_loop()
    made.close()


async def test_same_answers_as_over_a_plain_connection(isolation: RedisIsolation) -> None:
    for number in range(_TESTS):
        rng = random.Random(f"{_SEED} {number}")
        way, decode, seed = rng.choice(_WAYS), rng.random() < 0.7, rng.random()
        plain = await _run_plain(isolation.endpoint, way, decode, seed)
        held = await _run_isolated(isolation, way, decode, seed)
        wrong = next((n for n, (one, other) in enumerate(zip(plain, held, strict=True)) if one != other), None)
        assert wrong is None, f"test {number}, {way}:\n" + "\n".join(
            f"{one}\n{other if one != other else ''}"
            for one, other in list(zip(plain, held, strict=True))[: (wrong or 0) + 1]
        )


async def test_each_test_finds_the_server_as_it_was(endpoint: Endpoint, isolation: RedisIsolation) -> None:
    with redis.Redis.from_url(endpoint.url) as program:
        program.script_flush()
        program.function_load("#!lua name=before\nredis.register_function('before', function() return 1 end)")
        before = _server(program)
        late: list[Any] = []
        for number in range(_TESTS):
            rng = random.Random(f"{_SEED} {number}")
            done = await _leave(isolation, program, rng, late)
            assert _server(program) == before, f"test {number}: {done}"
        program.function_delete("before")


async def _leave(isolation: RedisIsolation, program: Any, rng: random.Random, late: list[Any]) -> list[str]:
    """Run a test, in which earlier ones go on; return what it has done."""
    lease = isolation.lease()
    try:
        with isolation.client(lease) as client, isolation.client_sync(lease) as blocking:
            await _begin(client, blocking)
            test = Test(client, blocking, program, rng)
            for one in late[-_MOST_LATE:]:
                with contextlib.suppress(RedisError, IsolationError, RuntimeError):
                    await one()
            assert await client.exists(KEY) == 0
            leavings = rng.sample(LEAVINGS, rng.randrange(1, 4))
            late += [one for one in [await leave(test) for leave in leavings] if one]
            return [leave.__name__ for leave in leavings]
    finally:
        isolation.release(lease)


async def _begin(client: Any, blocking: Any) -> None:
    """Look that nothing of earlier tests is there."""
    assert (await client.dbsize(), blocking.dbsize()) == (0, 0)
    for described in (await client.client_info(), blocking.client_info()):
        assert {name: str(described[name]) for name in _FRESH} == _FRESH
    assert await client.lpush("queue", "x") == 1
    assert await client.publish("news", "x") == 0
    assert await client.llen("queue") == 1


def _server(program: Any) -> tuple[Any, ...]:
    """Return what the server as a whole has, as the administrator sees it."""
    accounts = [line for line in program.acl_list() if " realservices-" not in str(line)]
    return program.config_get("*"), accounts, program.function_list(withcode=True), program.script_exists(_LOADED)


async def _run_plain(endpoint: Endpoint, way: str, decode: bool, seed: float) -> list[Any]:
    module: Any = redis.asyncio if "asyncio" in way else redis
    client = module.Redis.from_url(endpoint.url, decode_responses=decode)
    try:
        await result_of(client.flushdb())
        await result_of(client.script_flush())
        return await _answers(client, seed)
    finally:
        await result_of(client.connection_pool.disconnect())


async def _run_isolated(isolation: RedisIsolation, way: str, decode: bool, seed: float) -> list[Any]:
    lease = isolation.lease()
    try:
        if way == "asyncio":
            with isolation.client(lease, decode=decode) as client:
                return await _answers(client, seed)
        if way == "blocking":
            with isolation.client_sync(lease, decode=decode) as blocking:
                return await _answers(blocking, seed)
        module: Any = redis.asyncio if way == "url_asyncio" else redis
        other = module.Redis.from_url(lease.url, decode_responses=decode)
        try:
            return await _answers(other, seed)
        finally:
            await result_of(other.connection_pool.disconnect())
    finally:
        isolation.release(lease)


async def _answers(client: Any, seed: float) -> list[Any]:
    """Run a test."""
    rng = random.Random(seed)
    answers = [repr(await _answer(client, rng)) for _ in range(rng.randrange(2, _MOST_STEPS))]
    return [_CONNECTION_ID.sub("'id', …", answer) for answer in answers]


async def _answer(client: Any, rng: random.Random) -> Any:
    name = rng.choice(("command", "command", "command", "command", *operations.CALLS))
    step = random.Random(rng.random())
    if name == "command":
        words = operations.random_command(step)
        return words, await _told(client, client.execute_command, *words)
    return name, await _told(client, operations.CALLS[name], client, step)


async def _told(client: Any, call: Any, *args: Any) -> Any:
    try:
        return await result_of(call(*args))
    except RedisError as error:
        return type(error).__name__, str(error)
    except Exception as error:  # noqa: BLE001 - redis-py's own reading of an answer may fail in any way
        # It leaves the connection with answers that are not read.
        await result_of(client.connection_pool.disconnect())
        return type(error).__name__, str(error)
