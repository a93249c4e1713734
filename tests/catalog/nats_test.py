"""The catalogue's NATS through nats-py: publish, request, JetStream, credentials, and subjects of a test's own.

Each test connects by itself: a subscription is a task that ends with its test.
"""

from __future__ import annotations

import os
import socket
import uuid
from urllib.parse import urlsplit

import nats
import nats.errors
import pytest
from nats.aio.msg import Msg

from realservices.clients.service_control import ServiceControl
from tests.catalog.command_lines import command_lines

_URL = os.environ["NATS_URL"]
_DEADLINE_S = 10


@pytest.fixture
def subject() -> str:
    """A prefix that no other test has: the isolation that docs/catalog.md recommends."""
    return uuid.uuid4().hex


async def test_published_message_reaches_the_subscriber(subject: str) -> None:
    async with await nats.connect(_URL) as client:
        subscription = await client.subscribe(f"{subject}.orders.*")
        await client.publish(f"{subject}.orders.new", b"7", headers={"Kind": "order"})
        message = await subscription.next_msg(timeout=_DEADLINE_S)
        assert (message.subject, message.data, message.headers) == (f"{subject}.orders.new", b"7", {"Kind": "order"})


async def test_request_is_answered_and_one_that_nobody_serves_fails_at_once(subject: str) -> None:
    async with await nats.connect(_URL) as client:

        async def double(message: Msg) -> None:
            await message.respond(2 * message.data)

        await client.subscribe(f"{subject}.double", cb=double)
        assert (await client.request(f"{subject}.double", b"ab", timeout=_DEADLINE_S)).data == b"abab"
        with pytest.raises(nats.errors.NoRespondersError):
            await client.request(f"{subject}.nobody", b"", timeout=_DEADLINE_S)


async def test_queue_group_gets_each_message_once(subject: str) -> None:
    async with await nats.connect(_URL) as client:
        handled: list[bytes] = []

        async def work(message: Msg) -> None:
            handled.append(message.data)
            await message.respond(b"")

        for _ in range(2):
            await client.subscribe(f"{subject}.jobs", queue="workers", cb=work)
        jobs = [str(number).encode() for number in range(10)]
        for job in jobs:
            await client.request(f"{subject}.jobs", job, timeout=_DEADLINE_S)
        assert handled == jobs


async def test_stream_keeps_messages_until_they_are_acknowledged(subject: str) -> None:
    async with await nats.connect(_URL) as client:
        jetstream = client.jetstream()
        await jetstream.add_stream(name=subject, subjects=[f"{subject}.>"])
        await jetstream.publish(f"{subject}.paid", b"1")
        consumer = await jetstream.pull_subscribe(f"{subject}.>", durable="ledger")
        (message,) = await consumer.fetch(1, timeout=_DEADLINE_S)
        assert message.data == b"1"
        await message.ack_sync(timeout=_DEADLINE_S)
        info = await jetstream.consumer_info(subject, "ledger")
        assert (info.num_pending, info.num_ack_pending) == (0, 0)


@pytest.mark.parametrize("content", [b"first", b"second"])
async def test_a_subject_prefix_and_a_stream_are_the_tests_own(subject: str, content: bytes) -> None:
    """Both cases do the same on one server: each would find the other's message but for its own names."""
    async with await nats.connect(_URL) as client:
        jetstream = client.jetstream()
        await jetstream.add_stream(name=subject, subjects=[f"{subject}.events"])
        await jetstream.publish(f"{subject}.events", content)
        stream = await jetstream.stream_info(subject)
        assert stream.state.messages == 1
        assert (await jetstream.get_last_msg(subject, f"{subject}.events")).data == content


async def test_a_stream_outlives_a_restart_of_the_server(subject: str, service_control: ServiceControl) -> None:
    async with await nats.connect(_URL) as client:
        jetstream = client.jetstream()
        await jetstream.add_stream(name=subject, subjects=[subject])
        await jetstream.publish(subject, b"kept")
    await service_control.stop("nats")
    await service_control.start("nats")
    async with await nats.connect(_URL) as client:
        assert (await client.jetstream().get_last_msg(subject, subject)).data == b"kept"


@pytest.mark.parametrize("options", ['{"user": "test", "pass": "wrong"}', "{}"])
def test_server_refuses_whoever_has_not_its_password(options: str) -> None:
    """By hand: nats-py leaves the socket of a refused connection open, and warnings are errors here."""
    address = urlsplit(_URL)
    with (
        socket.create_connection((address.hostname, address.port), timeout=_DEADLINE_S) as connection,
        connection.makefile("rwb") as lines,
    ):
        assert b'"auth_required":true' in lines.readline()
        lines.write(f"CONNECT {options}\r\n".encode())
        lines.flush()
        assert lines.readline() == b"-ERR 'Authorization Violation'\r\n"


def test_password_is_in_no_command_line() -> None:
    password = str(urlsplit(_URL).password)
    assert len(password) >= 24
    assert not [line for line in command_lines("nats-server") if password in line]
