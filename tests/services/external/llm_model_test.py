"""The small model on the processor: what it says is its own, that it answers as the API promises is tested."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realservices.clients.errors import LlmError
from realservices.clients.llm import LlmClient
from realservices.external_service_integration import ExternalServiceManager

_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


@pytest_asyncio.fixture
async def llm() -> AsyncIterator[LlmClient]:
    async with ExternalServiceManager() as manager:
        yield manager.llm()


async def test_it_answers(llm: LlmClient) -> None:
    result = await llm.chat([{"role": "user", "content": "Say hello."}], max_tokens=16)
    assert result.text
    assert result.finish_reason in ("stop", "length")
    assert result.usage is not None
    assert 0 < result.usage.completion_tokens <= 16
    assert llm.base_url == os.environ["OPENAI_BASE_URL"]
    assert await llm.models() == ["SmolLM2-135M-Instruct.Q4_1"]


async def test_same_question_same_answer(llm: LlmClient) -> None:
    answers = await asyncio.gather(*(llm.complete("Count from one to five.", max_tokens=16) for _ in range(3)))
    assert len(set(answers)) == 1


async def test_stream_is_the_whole_answer(llm: LlmClient) -> None:
    stream = llm.stream("Count from one to five.", max_tokens=16)
    pieces = [piece async for piece in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == await llm.complete("Count from one to five.", max_tokens=16)
    assert stream.result.usage is not None


async def test_answer_by_schema(llm: LlmClient) -> None:
    text = await llm.complete("John is 30 years old. Give name and age.", response_format=_SCHEMA, max_tokens=48)
    assert json.loads(text).keys() == {"name", "age"}


def test_web_page_is_refused(llm: LlmClient) -> None:
    request = urllib.request.Request(f"{llm.base_url}/models", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    with caught.value as answer:
        assert (answer.code, json.load(answer)["error"]["code"]) == (403, "host_not_allowed")


async def test_refusal_has_the_server_s_words(llm: LlmClient) -> None:
    with pytest.raises(LlmError, match=r"refused \(status 400\): .*context size") as caught:
        await llm.complete("word " * 5000, max_tokens=1)
    assert caught.value.status == 400
