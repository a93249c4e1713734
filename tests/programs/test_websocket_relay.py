"""The relay as a program, by clients of the websockets library itself."""

from __future__ import annotations

import asyncio
import signal
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.programs.running_program import RunningProgram

_TIMEOUT_S = 10.0


@pytest.fixture
def relay() -> Iterator[RunningProgram]:
    with RunningProgram("websocket_relay") as program:
        yield program


async def test_message_reaches_all_of_the_room_and_nobody_else(relay: RunningProgram) -> None:
    async with (
        asyncio.timeout(_TIMEOUT_S),
        connect(f"{relay.url}/a", proxy=None) as first,
        connect(f"{relay.url}/a?token=x", proxy=None) as second,
        connect(f"{relay.url}/b", proxy=None) as elsewhere,
    ):
        await first.send("text")
        await first.send(b"bytes")
        await elsewhere.send("theirs")
        for client in (first, second):
            assert [await client.recv(), await client.recv()] == ["text", b"bytes"]
        assert await elsewhere.recv() == "theirs"


async def test_all_see_the_same_order(relay: RunningProgram) -> None:
    count = 50
    async with asyncio.timeout(_TIMEOUT_S):
        # Who has been given its 101 is in the room: the relay does both in one step.
        clients = [await connect(relay.url, proxy=None) for _ in range(4)]

        async def send(number: int) -> None:
            for message in range(count):
                await clients[number].send(f"{number}.{message}")

        await asyncio.gather(*(send(number) for number in range(4)))
        seen = [[await client.recv() for _ in range(4 * count)] for client in clients]
        for client in clients:
            await client.close()
    assert seen[1:] == seen[:1] * 3
    assert [text for text in seen[0] if str(text).startswith("2.")] == [f"2.{message}" for message in range(count)]


def test_health(relay: RunningProgram) -> None:
    with urllib.request.urlopen(relay.url.replace("ws:", "http:") + "/health", timeout=_TIMEOUT_S) as answer:
        assert (answer.status, answer.read()) == (200, b"ok\n")


async def test_health_is_no_room(relay: RunningProgram) -> None:
    with pytest.raises(InvalidStatus):
        await connect(f"{relay.url}/health", proxy=None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_order(relay: RunningProgram, number: int) -> None:
    async with asyncio.timeout(_TIMEOUT_S), connect(relay.url, proxy=None) as client:
        assert await asyncio.to_thread(relay.stop, number) == 0
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1001
