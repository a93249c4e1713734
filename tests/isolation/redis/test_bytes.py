"""Clients that do not decode, beside those that do, on one database."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.isolation.test_environment import TestEnvironment

_VALUE = {"a": 1}


@pytest.fixture
def isolation() -> Iterator[RedisIsolation]:
    """An isolation of the test's own."""
    services = find_services()
    made = RedisIsolation(services.endpoint("redis"), services.private)
    yield made
    made.close()


async def test_pickled_values_come_back(isolated_redis_bytes: Any, isolated_redis_bytes_sync: Any) -> None:
    await isolated_redis_bytes.set("k", pickle.dumps(_VALUE))
    assert pickle.loads(await isolated_redis_bytes.get("k")) == _VALUE
    assert pickle.loads(isolated_redis_bytes_sync.get("k")) == _VALUE


async def test_all_four_have_one_database(
    isolated_redis: Any, isolated_redis_sync: Any, isolated_redis_bytes: Any, isolated_redis_bytes_sync: Any
) -> None:
    await isolated_redis.set("a", "ä")
    assert isolated_redis_sync.get("a") == "ä"
    assert await isolated_redis_bytes.get("a") == isolated_redis_bytes_sync.get("a") == "ä".encode()
    assert isolated_redis.url == isolated_redis_bytes.url == isolated_redis_bytes_sync.url


@pytest.mark.asyncio(loop_scope="function")
async def test_bytes_in_a_loop_of_the_tests_own(isolated_redis: Any, isolated_redis_bytes: Any) -> None:
    await isolated_redis.set("a", "1")
    assert await isolated_redis_bytes.get("a") == b"1"


async def test_values_that_are_no_texts_are_told_with_the_fixture_to_take(
    isolated_redis: Any, isolated_redis_sync: Any
) -> None:
    isolated_redis_sync.set("k", pickle.dumps(_VALUE))
    with pytest.raises(UnicodeDecodeError) as blocking:
        isolated_redis_sync.get("k")
    with pytest.raises(UnicodeDecodeError) as awaited:
        await isolated_redis.get("k")
    for error in (blocking, awaited):
        (note,) = error.value.__notes__
        assert note == (
            "isolated_redis gives answers as str, and this one is no text: take isolated_redis_bytes (or "
            "isolated_redis_bytes_sync, environment['redis_bytes']), a client of the same database that gives bytes"
        )
    assert await isolated_redis.exists("k") == isolated_redis_sync.exists("k") == 1


async def test_an_environment_has_both(comprehensive_test_environment: TestEnvironment) -> None:
    await comprehensive_test_environment["redis"].set("a", "1")
    assert await comprehensive_test_environment["redis_bytes"].get("a") == b"1"
    assert await comprehensive_test_environment["redis"].dbsize() == 1


def test_kept_connections_keep_their_kind(isolation: RedisIsolation) -> None:
    for _ in range(3):
        lease = isolation.lease()
        with isolation.client_sync(lease) as text, isolation.client_sync(lease, decode=False) as raw:
            text.set("a", "1")
            assert (text.get("a"), raw.get("a")) == ("1", b"1")
        isolation.release(lease)
    assert sorted(isolation._kept_sync) == [False, True]


async def test_kept_asyncio_connections_keep_their_kind(isolation: RedisIsolation) -> None:
    for _ in range(3):
        lease = isolation.lease()
        with isolation.client(lease) as text, isolation.client(lease, decode=False) as raw:
            await text.set("a", "1")
            assert (await text.get("a"), await raw.get("a")) == ("1", b"1")
        isolation.release(lease)
    assert sorted(isolation._kept) == [False, True]
    await isolation.close_loop()
    assert not isolation._kept


async def test_a_client_in_use_takes_the_kept_ones_of_both_kinds_with_it(isolation: RedisIsolation) -> None:
    lease = isolation.lease()
    with isolation.client(lease) as text, isolation.client(lease, decode=False) as raw:
        await text.ping()
        pubsub = raw.pubsub()
        await pubsub.subscribe("news")
    isolation.release(lease)
    assert not isolation._kept
    lease = isolation.lease()
    with isolation.client(lease) as text:
        assert await text.ping()
    isolation.release(lease)
    with pytest.raises(IsolationError, match="has ended"):
        await raw.ping()
    await isolation.close_loop()
    await pubsub.aclose()  # type: ignore[no-untyped-call]


# Libraries of functions, and channels

_CODE = "#!lua name={name}\nredis.register_function('answer_{name}', function() return {answer} end)"


def test_libraries_of_a_test_end_with_it(isolation: RedisIsolation) -> None:
    lease = isolation.lease()
    with isolation.client_sync(lease) as client:
        client.function_load(_CODE.format(name="one", answer=1))
        pipeline: Any = client.pipeline()
        pipeline.function_load(_CODE.format(name="two", answer=2)).execute()
        assert (client.fcall("answer_one", 0), client.fcall("answer_two", 0)) == (1, 2)
        client.function_load(_CODE.format(name="one", answer=3), replace=True)
    isolation.release(lease)
    assert isolation._call(("FUNCTION", "LIST"))[0] == []
    lease = isolation.lease()
    with isolation.client_sync(lease) as client:
        client.function_load(_CODE.format(name="one", answer=4))
    isolation.release(lease)


async def test_a_library_of_the_service_is_restored(isolation: RedisIsolation) -> None:
    isolation._call(("FUNCTION", "LOAD", _CODE.format(name="service", answer=1)))
    lease = isolation.lease()
    with isolation.client(lease, decode=False) as client:
        await client.function_load(_CODE.format(name="service", answer=2), replace=True)
        assert await client.fcall("answer_service", 0) == 2
    isolation.release(lease)
    lease = isolation.lease()
    with isolation.client(lease) as client:
        assert await client.fcall("answer_service", 0) == 1
    isolation.release(lease)
    await isolation.close_loop()
    isolation._call(("FUNCTION", "DELETE", "service"))


async def test_channels_of_tests_at_the_same_time_differ(isolated_redis: Any, isolation: RedisIsolation) -> None:
    lease = isolation.lease()
    with isolation.client_sync(lease) as other:
        assert isolated_redis.channel("news") != other.channel("news")
        async with isolated_redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(isolated_redis.channel("news"))
            await pubsub.get_message(timeout=5)
            assert other.publish(other.channel("news"), "theirs") == 0
            assert await isolated_redis.publish(isolated_redis.channel("news"), "ours") == 1
            assert (await pubsub.get_message(timeout=5))["data"] == "ours"
    isolation.release(lease)
