"""The catalogue's broker through aiokafka: topics, producing, consumer groups, and names of a test's own."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from realservices.clients.service_control import ServiceControl

_BOOTSTRAP = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
_DEADLINE_S = 20
# The broker lets a group wait for further members up to this time; it takes nothing below a second.
_SESSION_TIMEOUT_MS = 1000


@pytest_asyncio.fixture
async def admin() -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrator."""
    client = AIOKafkaAdminClient(bootstrap_servers=_BOOTSTRAP)
    await client.start()
    # It connects at first use, by a task that would end with the test if that were the test's.
    await client.list_topics()
    yield client
    await client.close()


@pytest_asyncio.fixture
async def producer() -> AsyncIterator[AIOKafkaProducer]:
    """A producer."""
    client = AIOKafkaProducer(bootstrap_servers=_BOOTSTRAP)
    await client.start()
    yield client
    await client.stop()


@pytest_asyncio.fixture
async def topic(admin: AIOKafkaAdminClient) -> str:
    """A topic that no other test has: the isolation that docs/catalog.md recommends."""
    name = uuid.uuid4().hex
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    return name


async def consumed(topic: str, count: int, group: str | None) -> list[bytes | None]:
    """Return the values of the next messages and commit them where there is a group."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=_BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=_SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=_SESSION_TIMEOUT_MS // 3,
    )
    await consumer.start()
    try:
        async with asyncio.timeout(_DEADLINE_S):
            values = [(await consumer.getone()).value for _ in range(count)]
        if group:
            await consumer.commit()
        return values
    finally:
        await consumer.stop()


async def test_messages_are_consumed_in_order(producer: AIOKafkaProducer, topic: str) -> None:
    values = [str(number).encode() for number in range(20)]
    offsets = [(await producer.send_and_wait(topic, value, key=b"k")).offset for value in values]
    assert offsets == list(range(20))
    assert await consumed(topic, 20, group=None) == values


async def test_a_group_goes_on_where_it_committed(producer: AIOKafkaProducer, topic: str) -> None:
    group = f"{topic}-readers"
    await producer.send_and_wait(topic, b"first")
    assert await consumed(topic, 1, group) == [b"first"]
    await producer.send_and_wait(topic, b"second")
    assert await consumed(topic, 1, group) == [b"second"]
    assert await consumed(topic, 2, f"{topic}-others") == [b"first", b"second"]


async def test_a_topic_exists_once(admin: AIOKafkaAdminClient, topic: str) -> None:
    answer = await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    assert for_code(answer.topic_errors[0][1]) is TopicAlreadyExistsError
    assert topic in await admin.list_topics()
    await admin.delete_topics([topic])
    assert topic not in await admin.list_topics()


async def test_a_topic_is_made_by_the_first_message(producer: AIOKafkaProducer, admin: AIOKafkaAdminClient) -> None:
    name = uuid.uuid4().hex
    await producer.send_and_wait(name, b"hello")
    assert name in await admin.list_topics()


async def test_a_restarted_broker_is_empty(topic: str, service_control: ServiceControl) -> None:
    await service_control.stop("kafka")
    await service_control.start("kafka")
    admin = AIOKafkaAdminClient(bootstrap_servers=_BOOTSTRAP)
    await admin.start()
    try:
        assert topic not in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.parametrize("content", [b"first", b"second"])
async def test_a_topic_is_the_tests_own(producer: AIOKafkaProducer, topic: str, content: bytes) -> None:
    """Both cases do the same on one broker: the second would read the first one's message but for its own topic."""
    sent = await producer.send_and_wait(topic, content)
    assert sent.offset == 0
    assert await consumed(topic, 1, group=None) == [content]
