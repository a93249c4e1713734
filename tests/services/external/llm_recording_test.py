"""An `llm_service` with a recording, in a test action."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realservices.clients.errors import LlmError
from realservices.clients.llm import LlmClient
from realservices.external_service_integration import ExternalServiceManager


@pytest_asyncio.fixture
async def llm() -> AsyncIterator[LlmClient]:
    async with ExternalServiceManager() as manager:
        yield manager.llm()


async def test_recorded_answer(llm: LlmClient) -> None:
    assert await llm.complete("What is the capital of France?", temperature=0) == "Paris."
    assert llm.base_url == os.environ["OPENAI_BASE_URL"]


async def test_recorded_stream(llm: LlmClient) -> None:
    stream = llm.stream("What is the capital of France?")
    assert [piece async for piece in stream] == ["Par", "is."]
    assert stream.result.finish_reason == "stop"


async def test_anything_else_is_refused(llm: LlmClient) -> None:
    with pytest.raises(LlmError, match=r'-      "content": "What is the capital of France\?"') as caught:
        await llm.complete("What is the capital of Spain?", temperature=0)
    assert caught.value.code == "not_recorded"
