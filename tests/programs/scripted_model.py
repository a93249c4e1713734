"""An OpenAI-compatible server whose answers a test knows: what it says depends on the last message.

It has an HTTP implementation of its own, so that a mistake in the package's cannot hide behind itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
_CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]
# The arguments of two calls, in pieces that alternate.
_CALL_DELTAS: list[list[dict[str, Any]]] = [
    [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}],
    [{"index": 0, "function": {"arguments": '{"city": '}}],
    [{"index": 1, "id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{"}}],
    [{"index": 0, "function": {"arguments": '"Köln"}'}}, {"index": 1, "function": {"arguments": "}"}}],
]


class ScriptedModel:
    """Answers, and remembers what it was asked: ``(path, headers, body)``."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve, and give the base URL of the API."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or "null")
        path = first.split(" ")[1]
        self.asked.append((path, headers, body))
        if path == "/v1/models":
            _send(writer, 200, {"object": "list", "data": [{"id": "scripted-1"}, {"id": "scripted-2"}]})
        else:
            self._answer(writer, body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        last = body["messages"][-1]
        match last["content"], body.get("stream"):
            case "bad", _:
                _send(writer, 400, {"error": {"message": "temperature is too high", "code": "bad_value"}})
            case "limit", _:
                _send(writer, 429, {"error": {"message": "too many requests", "code": "rate_limit"}})
            case "html", _:
                _send(writer, 200, "<html>login</html>")
            case "odd", _:
                _send(writer, 200, {"object": "list"})
            case "nothing", _:
                _send(writer, 502, "")
            case "break", _:
                _stream(writer, [_delta({"content": "half "})])
            case "fault", _:
                _stream(writer, [_delta({"content": "x"}), {"error": {"message": "overloaded", "code": "busy"}}])
            case "call", True:
                deltas = [_delta({"tool_calls": calls}) for calls in _CALL_DELTAS]
                _stream(writer, [*deltas, _delta({}, "tool_calls"), "[DONE]"])
            case "call", _:
                _send(writer, 200, _completion({"content": None, "tool_calls": _CALLS}, "tool_calls"))
            case text, True:
                pieces = [
                    _delta({"role": "assistant", "content": ""}),
                    *(_delta({"content": c}) for c in f"re: {text}"),
                ]
                usage = [{"model": "scripted-1", "choices": [], "usage": _USAGE}]
                asked = (body.get("stream_options") or {}).get("include_usage")
                _stream(writer, [*pieces, _delta({}, "stop"), *(usage if asked else []), "[DONE]"])
            case text, _:
                _send(writer, 200, _completion({"content": f"{last['role']}: {text}"}, "stop"))


def _completion(message: dict[str, Any], reason: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"id": "cmpl-1", "object": "chat.completion", "model": "scripted-1", "choices": [choice], "usage": _USAGE}


def _delta(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "cmpl-1", "object": "chat.completion.chunk", "model": "scripted-1", "choices": [choice]}


def _send(writer: asyncio.StreamWriter, status: int, content: Any) -> None:
    data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    kind = "text/html" if isinstance(content, str) else "application/json"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + data)


def _stream(writer: asyncio.StreamWriter, events: list[Any]) -> None:
    """Send events; the connection's end is the stream's."""
    writer.write(
        b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n: hi\n\n"
    )
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        writer.write(f"event: message\ndata: {data}\n\n".encode())
