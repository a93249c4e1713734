"""Recording a model's answers and replaying them, strictly, by the programs themselves and a real upstream."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realservices.clients.errors import LlmError
from realservices.clients.llm import LlmClient
from realservices.clients.llm_answers import ChatResult
from realservices.programs.llm_recording import Exchange, Recording, RecordingError, normalise
from tests.programs.running_program import RunningProgram
from tests.programs.scripted_model import ScriptedModel

_KEY = "sk-very-secret"
_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]

Start = Callable[[], AbstractContextManager[RunningProgram]]


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


@pytest_asyncio.fixture
async def upstream(model: ScriptedModel) -> AsyncIterator[str]:
    async with model.listening() as url:
        yield url


@pytest_asyncio.fixture
async def recorder(upstream: str, file: Path) -> AsyncIterator[RunningProgram]:
    options = ("--recording", str(file), "--upstream", upstream, "--key-env", "THE_KEY")
    program = await asyncio.to_thread(RunningProgram, "llm_record", *options, env={"THE_KEY": _KEY})
    with program:
        yield program


def _replaying(file: Path) -> RunningProgram:
    return RunningProgram("llm_replay", "--recording", str(file))


async def _converse(url: str) -> list[Any]:
    """Ask in every way that there is."""
    messages = [{"role": "user", "content": "call"}]
    async with LlmClient(url, "some-client-key", model="scripted-1") as client:
        answers: list[Any] = [await client.complete("hi", temperature=0.0)]
        result = await client.chat(messages, tools=_TOOLS)
        answers.append(result)
        told = {"role": "tool", "tool_call_id": result.tool_calls[0].id, "content": "20 degrees"}
        answers.append(await client.complete([*messages, told], tools=_TOOLS))
        for asked, tools in (("grüß", None), ("call", _TOOLS)):
            stream = client.stream(asked, tools=tools)
            answers.append([piece async for piece in stream])
            answers.append(stream.result)
        with pytest.raises(LlmError, match="temperature is too high") as caught:
            await client.complete("bad")
        answers.append((caught.value.status, caught.value.code))
    return answers


async def test_replay_is_what_was_recorded(recorder: RunningProgram, model: ScriptedModel, file: Path) -> None:
    recorded = await _converse(recorder.url)
    asked = len(model.asked)
    assert recorded[0] == "user: hi"
    assert isinstance(recorded[1], ChatResult)
    assert [call.id for call in recorded[1].tool_calls] == ["call_1", "call_2"]
    assert recorded[2] == "tool: 20 degrees"
    assert recorded[3] == list("re: grüß")
    recorder.stop()
    with _replaying(file) as replay:
        for _ in range(2):
            assert await _converse(replay.url) == recorded
    assert len(model.asked) == asked
    assert asked == 6


async def test_stream_comes_event_by_event_as_recorded(recorder: RunningProgram, file: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "ab"}], "stream": True}
    texts = []
    async with httpx.AsyncClient(trust_env=False) as client:
        texts.append((await client.post(f"{recorder.url}/chat/completions", json=body)).text)
        with _replaying(file) as replay:
            texts.append((await client.post(f"{replay.url}/chat/completions", json=body)).text)
    assert texts[0] == texts[1]
    events = texts[0].split("\n\n")
    assert len(events) == 10  # Role, 6 characters, end, [DONE], and nothing after the last blank line.
    assert events[-2:] == ["data: [DONE]", ""]
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert len(json.loads(line)["chunks"]) == 9


async def test_keys_are_in_no_recording(recorder: RunningProgram, model: ScriptedModel, file: Path) -> None:
    await _converse(recorder.url)
    assert {headers["authorization"] for _, headers, _ in model.asked} == {f"Bearer {_KEY}"}
    text = file.read_text(encoding="utf-8")
    assert _KEY not in text
    assert "some-client-key" not in text
    async with LlmClient(recorder.url, model="m") as client:
        with pytest.raises(LlmError, match="contains the upstream's key"):
            await client.complete(f"my key is {_KEY}")
    assert file.read_text(encoding="utf-8") == text


async def test_unknown_prompt_is_refused_with_the_nearest(recorder: RunningProgram, file: Path) -> None:
    async with LlmClient(recorder.url, model="m") as client:
        await client.complete("Summarise the article about cats.", temperature=0)
        await client.complete("Translate: good morning", temperature=0)
    with _replaying(file) as replay:
        async with LlmClient(replay.url, model="m") as client:
            with pytest.raises(LlmError) as caught:
                await client.complete("Summarise the article about dogs.", temperature=0.5)
    message = str(caught.value)
    assert (caught.value.status, caught.value.code) == (404, "not_recorded")
    assert "answers.jsonl has no answer to this request; its 2 recorded requests are matched exactly" in message
    assert '-      "content": "Summarise the article about cats."' in message
    assert '+      "content": "Summarise the article about dogs."' in message
    assert '-  "temperature": 0' in message
    assert '+  "temperature": 0.5' in message
    assert "Translate" not in message
    assert "bazel run :NAME.record -- --upstream URL" in message
    assert "python -m realservices.programs.llm_record --recording answers.jsonl --upstream URL" in message


async def test_how_an_answer_is_asked_for_matters(recorder: RunningProgram, file: Path) -> None:
    async with LlmClient(recorder.url, model="m") as client:
        await client.complete("hi")
    with _replaying(file) as replay:
        async with LlmClient(replay.url) as client:
            assert await client.complete("hi") == "user: hi"  # Its only model is found by itself.
            with pytest.raises(LlmError, match=r'\+  "stream": true'):
                await anext(client.stream("hi"))
            with pytest.raises(LlmError, match=r'-  "model": "m"'):
                await client.complete("hi", model="other")
            with pytest.raises(LlmError, match=r'\+  "tools": '):
                await client.chat([{"role": "user", "content": "hi"}], tools=_TOOLS)


@pytest.mark.parametrize(
    ("prompt", "stream", "message"),
    [
        ("limit", False, "too many requests"),
        ("limit", True, "too many requests"),
        ("nothing", False, "recording failed: JSONDecodeError"),
        ("html", False, "recording failed: JSONDecodeError"),
        ("break", True, "the upstream broke off its stream after 1 events"),
        ("fault", True, "overloaded"),
    ],
)
async def test_failures_of_the_upstream_are_not_kept(
    recorder: RunningProgram, file: Path, prompt: str, stream: bool, message: str
) -> None:
    async with LlmClient(recorder.url, model="m") as client:
        with pytest.raises(LlmError, match=message):
            await (_drain(client, prompt) if stream else client.complete(prompt))
    assert not file.exists()


async def _drain(client: LlmClient, prompt: str) -> None:
    async for _ in client.stream(prompt):
        pass


async def test_request_that_is_asked_again_replaces_its_answer(recorder: RunningProgram, file: Path) -> None:
    async with LlmClient(recorder.url, model="m") as client:
        for prompt in ("a", "b", "a"):
            await client.complete(prompt)
    requests = [json.loads(line)["request"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert [request["messages"][0]["content"] for request in requests] == ["a", "b"]
    assert list(file.parent.iterdir()) == [file]


async def test_upstream_that_is_not_there(file: Path) -> None:
    options = ("--recording", str(file), "--upstream", "http://127.0.0.1:9/v1")
    with await asyncio.to_thread(RunningProgram, "llm_record", *options) as recorder:
        async with LlmClient(recorder.url, model="m") as client:
            with pytest.raises(LlmError, match=r"status 502\): recording failed: URLError"):
                await client.complete("hi")
            with pytest.raises(LlmError, match=r"status 502\): the upstream's models are not known"):
                await client.models()


async def test_replay_that_is_told_of_a_recorder_asks_it(recorder: RunningProgram, file: Path) -> None:
    options = ("--recording", str(file), "--recorder", recorder.url)  # There is no recording yet.
    with await asyncio.to_thread(RunningProgram, "llm_replay", *options) as passing:
        recorded = await _converse(passing.url)
    with _replaying(file) as replay:
        assert await _converse(replay.url) == recorded


async def test_recording_is_relative_to_the_workspace_of_bazel_run(upstream: str, tmp_path: Path) -> None:
    options = ("--recording", "a.jsonl", "--upstream", upstream)
    env = {"BUILD_WORKSPACE_DIRECTORY": str(tmp_path)}
    with await asyncio.to_thread(RunningProgram, "llm_record", *options, env=env) as recorder:
        async with LlmClient(recorder.url) as client:
            await client.complete("hi")
    assert (tmp_path / "a.jsonl").exists()


async def test_what_the_server_does_not_know(file: Path) -> None:
    Recording(file, must_exist=False).store(_exchange("a"))
    with _replaying(file) as replay:
        root = replay.url.removesuffix("/v1")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{root}/health")).json() == {"status": "ok"}
            assert (await client.get(f"{root}/other")).json()["error"]["code"] == "unknown_url"
            assert (await client.post(f"{root}/chat", json={})).json()["error"]["code"] == "unknown_url"
            for content in (b"{broken", b"[]"):
                json_type = {"Content-Type": "application/json; charset=utf-8"}
                answer = await client.post(f"{replay.url}/chat/completions", content=content, headers=json_type)
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
            assert (await client.post(f"{replay.url}/embeddings", json={"input": "x"})).status_code == 404
        assert replay.stop() == 0


def _exchange(prompt: str) -> Exchange:
    return Exchange(normalise("/chat/completions", {"messages": [{"role": "user", "content": prompt}]}), 200, {"a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"stream": False}, {}),
        ({"user": "someone", "metadata": {"trace": "1"}, "store": True}, {}),
        ({"max_tokens": None}, {}),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
            {"messages": [{"content": "a", "role": "user"}]},
        ),
        ({"tools": [{"a": 1, "b": 2.0}]}, {"tools": [{"b": 2, "a": 1}]}),
    ],
)
def test_requests_that_mean_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert normalise("/x", one) == normalise("/x", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"role": "user", "content": "a "}]}),
        ({"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"role": "system", "content": "a"}]}),
        ({"seed": 1}, {"seed": 2}),
        ({"stream": True}, {}),
        ({"tools": []}, {}),
    ],
)
def test_requests_that_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert normalise("/x", one) != normalise("/x", other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"request": {}}', r"answers.jsonl:1 is not a recorded exchange \(ValueError: expected one of"),
        ("\n{broken", r"answers.jsonl:2 is not a recorded exchange \(JSONDecodeError.*\{broken"),
        ('{"request": {}, "status": 200, "answer": 1, "chunks": []}', "expected one of"),
        ("[]", r"answers.jsonl:1 is not"),
        (_exchange("a").line() + "\n\n" + _exchange("a").line(), r"jsonl:3 records the same request as line 1"),
    ],
)
def test_damaged_recordings(file: Path, content: str, message: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RecordingError, match=message):
        Recording(file, must_exist=True)


def test_recording_without_answers(file: Path) -> None:
    file.write_text("", encoding="utf-8")
    recording = Recording(file, must_exist=True)
    assert recording.explain_missing({}) == "answers.jsonl has no recorded answers at all"


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot write recording .*missing/a.jsonl: No such file"):
        Recording(tmp_path / "missing" / "a.jsonl", must_exist=False).store(_exchange("a"))


@pytest.mark.parametrize(
    ("program", "options", "message"),
    [
        (
            "llm_replay",
            ["--recording", "/nowhere.jsonl"],
            "cannot read recording /nowhere.jsonl: .*; make it with llm_record",
        ),
        (
            "llm_record",
            ["--recording", "x", "--upstream", "file:///etc/passwd"],
            "expected a URL that begins with http",
        ),
        (
            "llm_record",
            ["--recording", "x", "--upstream", "http://127.0.0.1", "--key-env", "NOT_SET"],
            "--key-env names NOT_SET, which is not set",
        ),
    ],
)
def test_programs_that_cannot_start_say_why(program: str, options: list[str], message: str) -> None:
    env = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-m", f"realservices.programs.{program}", *options]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode != 0
    assert re.search(message, ran.stderr), ran.stderr
