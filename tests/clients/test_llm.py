"""The client of language models, on a real server whose answers are known."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realservices.clients.errors import HttpRequestError, LlmError
from realservices.clients.llm import LlmClient
from realservices.clients.llm_answers import ChatResult, ToolCall, Usage
from tests.programs.scripted_model import ScriptedModel

_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
_CALLS = (ToolCall("call_1", "weather", '{"city": "Köln"}'), ToolCall("call_2", "time", "{}"))


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest_asyncio.fixture
async def llm(model: ScriptedModel) -> AsyncIterator[LlmClient]:
    async with model.listening() as url, LlmClient(url, "the-key", service="model") as client:
        yield client


def _ask(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


async def test_prompt_and_messages(llm: LlmClient, model: ScriptedModel) -> None:
    assert await llm.complete("hi", temperature=0) == "user: hi"
    assert await llm.complete([{"role": "system", "content": "s"}, {"role": "user", "content": "ho"}]) == "user: ho"
    path, headers, body = model.asked[1]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer the-key"
    assert body == {"model": "scripted-1", "messages": _ask("hi"), "temperature": 0}
    assert [asked[0] for asked in model.asked].count("/v1/models") == 1


async def test_model_is_the_caller_s_choice(model: ScriptedModel) -> None:
    async with model.listening() as url, LlmClient(url, model="mine") as client:
        await client.complete("a")
        await client.complete("b", model="theirs")
        assert await client.models() == ["scripted-1", "scripted-2"]
    assert [body["model"] for _, _, body in model.asked if body] == ["mine", "theirs"]
    assert "authorization" not in model.asked[0][1]


async def test_whole_answer(llm: LlmClient) -> None:
    assert await llm.chat(_ask("hi")) == ChatResult("user: hi", (), Usage(7, 3, 10), "stop", "scripted-1")


async def test_tool_calls(llm: LlmClient, model: ScriptedModel) -> None:
    result = await llm.chat(_ask("call"), tools=_TOOLS)
    assert result == ChatResult("", _CALLS, Usage(7, 3, 10), "tool_calls", "scripted-1")
    assert result.tool_calls[0].parsed_arguments() == {"city": "Köln"}
    assert model.asked[-1][2]["tools"] == _TOOLS


async def test_stream(llm: LlmClient) -> None:
    stream = llm.stream("grüß\u2028dich")
    pieces = [piece async for piece in stream]
    assert pieces == list("re: grüß\u2028dich")
    assert stream.result == ChatResult("re: grüß\u2028dich", (), Usage(7, 3, 10), "stop", "scripted-1")


async def test_streamed_tool_calls_are_put_together(llm: LlmClient) -> None:
    stream = llm.stream(_ask("call"), tools=_TOOLS)
    assert [piece async for piece in stream] == []
    assert stream.result == ChatResult("", _CALLS, None, "tool_calls", "scripted-1")


async def test_stream_that_is_left_early(llm: LlmClient) -> None:
    stream = llm.stream("a long answer")
    assert await anext(stream) == "r"
    with pytest.raises(LlmError, match="has not ended its stream; read all of it"):
        _ = stream.result
    await stream.aclose()
    assert await llm.complete("next") == "user: next"


async def test_server_s_own_message(llm: LlmClient) -> None:
    for attempt in (llm.chat(_ask("bad")), anext(llm.stream("bad"))):
        with pytest.raises(LlmError) as caught:
            await attempt
        assert str(caught.value) == (
            f"the language model service 'model' at {llm.base_url} refused (status 400): temperature is too high"
        )
        assert (caught.value.status, caught.value.code) == (400, "bad_value")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("html", r"answered what is not a JSON object \(status 200\): <html>login</html>"),
        ("odd", r"answered what is no chat completion \(KeyError: 'choices'\): \{"),
        ("nothing", r"refused \(status 502\): \(no content\)"),
    ],
)
async def test_answers_that_are_none(llm: LlmClient, prompt: str, message: str) -> None:
    with pytest.raises(LlmError, match=message):
        await llm.complete(prompt)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [("break", "broke off its stream after 'half '"), ("fault", "ended its stream with an error: overloaded")],
)
async def test_stream_that_does_not_end_well(llm: LlmClient, prompt: str, message: str) -> None:
    stream = llm.stream(prompt)
    with pytest.raises(LlmError, match=message):
        [piece async for piece in stream]
    with pytest.raises(LlmError):
        _ = stream.result


def test_arguments_that_are_no_object() -> None:
    for arguments in ("{broken", "[1]"):
        with pytest.raises(LlmError, match=r"called 'weather' with arguments that are not a JSON object"):
            ToolCall("1", "weather", arguments).parsed_arguments()
    assert ToolCall("1", "time", "").parsed_arguments() == {}


async def test_refused_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with LlmClient(f"http://127.0.0.1:{port}/v1", "the-key", service="model") as client:
            with pytest.raises(HttpRequestError, match=r"service 'model' at .*\n.*refuses connections") as caught:
                await client.complete("hi")
    assert "the-key" not in str(caught.value)
