"""The WebSocket client, against the relay and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from realservices.clients.errors import (
    WebSocketClosedError,
    WebSocketConnectError,
    WebSocketError,
    WebSocketMessageError,
    WebSocketTimeoutError,
)
from realservices.clients.websocket import WebSocketClient
from tests.programs.running_program import RunningProgram

_SHORT_S = 0.05


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    with RunningProgram("websocket_relay") as program:
        yield program.url


@pytest_asyncio.fixture
async def websocket(relay: str, request: pytest.FixtureRequest) -> AsyncIterator[WebSocketClient]:
    async with WebSocketClient(f"{relay}/{request.node.name}", service="relay") as client:
        yield client


@asynccontextmanager
async def serving(
    handler: Callable[[ServerConnection], Awaitable[None]], **options: Any
) -> AsyncIterator[WebSocketClient]:
    """A client of a server of the test's own."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with WebSocketClient(f"ws://127.0.0.1:{port}/ws?token=secret", service="odd") as client:
            yield client


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_guide_s_snippet(websocket: WebSocketClient) -> None:
    websocket.register_message_handler("user_created", lambda msg: {"type": "ack", "user_id": msg["user_id"]})
    await websocket.send_message({"type": "user_created", "user_id": 123})
    response = await websocket.receive_message(timeout=5.0)
    assert response["type"] == "ack"
    assert response["user_id"] == 123


async def test_no_task_is_left_after_close(relay: str) -> None:
    before = asyncio.all_tasks()
    client = WebSocketClient(f"{relay}/tasks")
    await client.send_message({"n": 1})
    assert await client.receive_message() == {"n": 1}
    assert len(asyncio.all_tasks()) > len(before)
    await client.close()
    await client.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_asynchronous_handlers_and_those_that_send_nothing(websocket: WebSocketClient) -> None:
    seen: list[dict[str, Any]] = []

    async def handle(message: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "answer", "to": message["n"]}

    websocket.register_message_handler("question", handle)
    websocket.register_message_handler("event", seen.append)
    await websocket.send_message({"type": "event"})
    await websocket.send_message({"type": "question", "n": 5})
    assert await websocket.receive_message() == {"type": "answer", "to": 5}
    assert seen == [{"type": "event"}]


async def test_messages_of_other_types_wait(websocket: WebSocketClient) -> None:
    for message in ({"type": "a"}, {"type": "b", "n": 1}, {"no": "type"}, {"type": "b", "n": 2}):
        await websocket.send_message(message)
    assert await websocket.receive_message(type="b") == {"type": "b", "n": 1}
    assert await websocket.receive_message() == {"type": "a"}
    assert await websocket.receive_message(type="b") == {"type": "b", "n": 2}
    assert await websocket.receive_message() == {"no": "type"}


async def test_time_out_tells_what_did_arrive(websocket: WebSocketClient) -> None:
    websocket.register_message_handler("ping", lambda _: None)
    for message in ({"type": "ping", "n": 1}, {"type": "other", "n": 2}, {"type": "last"}):
        await websocket.send_message(message)
    assert await websocket.receive_message(type="last") == {"type": "last"}
    await websocket.send_message({"type": "ping", "n": 3})
    await websocket.send_message({"type": "late"})
    assert await websocket.receive_message(type="other")
    websocket.register_message_handler("late-ping", lambda _: None)
    with pytest.raises(TimeoutError) as caught:
        await websocket.receive_message(_SHORT_S, type="wanted")
    assert isinstance(caught.value, WebSocketTimeoutError)
    assert str(caught.value) == (
        f"no message of type 'wanted' from service 'relay' at {websocket.url} within 0.05 s\n"
        '  went to handlers since the last message: \n    {"type": "ping", "n": 3}\n'
        '  still to be received: \n    {"type": "late"}\n'
        "  the connection is open"
    )


async def test_time_out_without_anything(websocket: WebSocketClient) -> None:
    with pytest.raises(
        WebSocketTimeoutError, match=r"no message from .*\n.*handlers.*: nothing\n.*received: nothing\n.*open$"
    ):
        await websocket.receive_message(timeout=_SHORT_S)


@pytest.mark.parametrize("surface", ["receive", "send", "close"])
async def test_handler_s_exception_is_raised_in_the_test(relay: str, surface: str) -> None:
    client = WebSocketClient(f"{relay}/{surface}")
    failed = asyncio.Event()

    async def handle(message: dict[str, Any]) -> None:
        failed.set()
        assert message["n"] == 1

    client.register_message_handler("x", handle)
    await client.send_message({"type": "x", "n": 2})
    await failed.wait()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "receive": client.receive_message,
        "send": lambda: client.send_message({}),
        "close": client.close,
    }
    with pytest.raises(AssertionError) as caught:
        await calls[surface]()
    assert 'in the handler of \'x\' for {"type": "x", "n": 2} from ws://' in caught.value.__notes__[0]
    await client.close()


async def test_pytest_s_own_failures_in_a_handler_are_not_lost(websocket: WebSocketClient) -> None:
    websocket.register_message_handler("x", lambda _: pytest.fail("by the handler"))
    await websocket.send_message({"type": "x"})
    with pytest.raises(pytest.fail.Exception, match="by the handler"):
        await websocket.receive_message()
    await websocket.send_message({"type": "y"})
    assert await websocket.receive_message() == {"type": "y"}  # It reads on.


async def test_handler_s_time_out_is_not_taken_for_ours(websocket: WebSocketClient) -> None:
    def handle(_: dict[str, Any]) -> None:
        raise TimeoutError("theirs")

    websocket.register_message_handler("x", handle)
    await websocket.send_message({"type": "x"})
    with pytest.raises(TimeoutError, match="theirs"):
        await websocket.receive_message()


async def test_handler_that_returns_something_else(websocket: WebSocketClient) -> None:
    websocket.register_message_handler("x", lambda _: "text")  # type: ignore[arg-type, return-value]
    await websocket.send_message({"type": "x"})
    with pytest.raises(TypeError, match="expected a dict to send back, or None; the handler returned 'text'"):
        await websocket.receive_message()


async def test_failure_of_the_test_is_not_hidden_by_one_of_a_handler(relay: str) -> None:
    failed = asyncio.Event()

    async def handle(_: dict[str, Any]) -> None:
        failed.set()
        raise ValueError("handler")

    async def fail() -> None:
        async with WebSocketClient(f"{relay}/hidden") as client:
            client.register_message_handler("x", handle)
            await client.send_message({"type": "x"})
            await failed.wait()
            raise KeyError("test")

    with pytest.raises(KeyError) as caught:
        await fail()
    assert caught.value.__notes__ == ["and a handler of the WebSocket failed: ValueError('handler')"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x00\x01", r"binary message of 2 bytes, which begins with b'\\x00\\x01'; .* text"),
        ("{broken", r"is not JSON \(.*\): \{broken"),
        ("[1, 2]", r"not an object: \[1, 2\]"),
    ],
)
async def test_what_is_no_json_object_is_refused(sent: str | bytes, reason: str) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(sent)
        await connection.send('{"type": "next"}')
        await connection.wait_closed()

    async with serving(handler) as client:
        with pytest.raises(WebSocketMessageError, match=reason):
            await client.receive_message()
        assert await client.receive_message() == {"type": "next"}


async def test_token_is_sent_as_bearer_and_refusal_is_explained() -> None:
    def check(connection: ServerConnection, request: Any) -> Any:
        if request.headers.get("Authorization") != "Bearer good":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "who are you?\n")
        return None

    async with serving(echo, process_request=check) as client:
        with pytest.raises(WebSocketConnectError, match=r"'odd' at .* refused .* status 401: who are you\?\n\n.*token"):
            await client.send_message({"n": 1})
        client.token = "good"
        await client.send_message({"n": 2})
        assert await client.receive_message() == {"n": 2}


async def test_refused_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with WebSocketClient(f"ws://127.0.0.1:{port}/x?token=secret", service="backend") as client:
            with pytest.raises(WebSocketConnectError) as caught:
                await client.receive_message()
    message = str(caught.value)
    assert f"cannot connect to service 'backend' at ws://127.0.0.1:{port}/x?token=...: " in message
    assert f"port {port} of 127.0.0.1 refuses connections" in message
    assert "secret" not in message


async def test_server_that_does_not_answer_the_handshake() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        async with WebSocketClient(url, connect_timeout_s=_SHORT_S) as client:
            with pytest.raises(WebSocketConnectError, match=r"TimeoutError.*\n.*is open; a server that is open but"):
                await client.send_message({})


async def test_receive_after_the_server_closed_tells_code_and_reason() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send('{"type": "last"}')
        await connection.close(4001, "session expired")

    async with serving(handler) as client:
        assert await client.receive_message() == {"type": "last"}
        for _ in range(2):
            with pytest.raises(WebSocketClosedError, match="code 4001, reason 'session expired'") as caught:
                await client.receive_message()
            assert (caught.value.code, caught.value.reason) == (4001, "session expired")
        assert "secret" not in str(caught.value)


async def test_receive_while_the_server_cuts_the_connection() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    async with serving(handler) as client:
        await client.send_message({})
        with pytest.raises(WebSocketClosedError) as caught:
            await client.receive_message()
        assert caught.value.code == 1006


async def test_send_connects_anew_after_the_server_closed() -> None:
    connections = 0

    async def handler(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await connection.close(1012, "restart")
        await echo(connection)

    async with serving(handler) as client:
        with pytest.raises(WebSocketClosedError, match="restart"):
            await client.receive_message()
        await client.send_message({"n": 1})
        assert await client.receive_message() == {"n": 1}
        assert (client.connections, connections) == (2, 2)


async def test_send_to_a_server_that_is_gone() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()

    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = WebSocketClient(f"ws://127.0.0.1:{port}")
        await client.send_message({})
        with pytest.raises(WebSocketClosedError):
            await client.receive_message()
    with pytest.raises(WebSocketConnectError, match="refuses connections"):
        await client.send_message({})
    await client.close()


async def test_reconnect_keeps_what_was_received(websocket: WebSocketClient) -> None:
    await websocket.send_message({"n": 1})
    await websocket.send_message({"type": "last"})
    assert await websocket.receive_message(type="last")
    await websocket.reconnect()
    await websocket.send_message({"n": 2})
    assert [await websocket.receive_message() for _ in range(2)] == [{"n": 1}, {"n": 2}]
    assert websocket.connections == 2


async def test_simultaneous_first_uses_share_a_connection(websocket: WebSocketClient) -> None:
    await asyncio.gather(*(websocket.send_message({"n": number}) for number in range(5)))
    assert sorted([(await websocket.receive_message())["n"] for _ in range(5)]) == list(range(5))
    assert websocket.connections == 1


async def test_several_may_wait_at_once(websocket: WebSocketClient) -> None:
    waiting = [asyncio.create_task(websocket.receive_message(type=kind)) for kind in ("a", "b")]
    await websocket.send_message({"type": "b"})
    await websocket.send_message({"type": "a"})
    assert [(await task)["type"] for task in waiting] == ["a", "b"]


async def test_close_is_bounded_where_the_server_does_not_close() -> None:
    held: list[asyncio.StreamWriter] = []

    async def shake_hands_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from websockets.server import ServerProtocol  # noqa: PLC0415 - a server that ignores closing frames

        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        request = protocol.events_received()[0]
        protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
        writer.writelines(protocol.data_to_send())
        held.append(writer)

    async with await asyncio.start_server(shake_hands_only, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = WebSocketClient(url, close_timeout_s=_SHORT_S)
        await client.send_message({})
        async with asyncio.timeout(30):
            await client.close()
        assert len(held) == 1
        for writer in held:
            writer.close()


async def test_closed_client_is_not_used_again(websocket: WebSocketClient) -> None:
    await websocket.close()
    for call in (websocket.receive_message(), websocket.send_message({}), websocket.reconnect()):
        with pytest.raises(WebSocketError, match=r"of service 'relay' at ws://.* is closed; do not keep it"):
            await call


async def test_waiting_ends_when_the_client_is_closed(websocket: WebSocketClient) -> None:
    await websocket.send_message({"type": "x"})
    waiting = asyncio.create_task(websocket.receive_message(type="never"))
    await asyncio.sleep(0)
    await websocket.close()
    with pytest.raises(WebSocketError, match="is closed"):
        await waiting


async def test_message_that_is_no_json_is_not_sent(websocket: WebSocketClient) -> None:
    with pytest.raises(TypeError):
        await websocket.send_message({"when": object()})
    assert websocket.connections == 0
    await websocket.send_message({"text": "grüß"})
    assert await websocket.receive_message() == json.loads('{"text": "grüß"}')
