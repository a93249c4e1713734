"""Whom the server programs answer: what a browser would send for a web page, by sockets and by real clients."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realservices.programs.allowed_callers import AllowedCallers, CallerRefusedError
from realservices.programs.llm_recording import Exchange, Recording, normalise
from tests.programs.running_program import RunningProgram
from tests.programs.scripted_model import ScriptedModel

_TIMEOUT_S = 10.0
_BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
_ALLOWED = {
    "by number": "Host: 127.0.0.1:{port}",
    "by name": "Host: localhost:{port}",
    "by name in capitals": "Host: LocalHost:{port}",
    "by the number of IPv6": "Host: [::1]:{port}",
    "from a page beside it": "Host: 127.0.0.1:{port}\r\nOrigin: http://localhost:3000",
    "from a page of IPv6": "Host: 127.0.0.1:{port}\r\nOrigin: https://[::1]:8443",
    "from a page of port 80": "Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1",
}
_REFUSED = {
    "name of a web page": ("Host: evil.example:{port}", "host", "'evil.example:{port}'"),
    "name that begins as ours": ("Host: localhost.evil.example:{port}", "host", "'localhost.evil.example:{port}'"),
    "user of ours": ("Host: evil@localhost:{port}", "host", "'evil@localhost:{port}'"),
    "other port": ("Host: 127.0.0.1:{other}", "host", "'127.0.0.1:{other}'"),
    "no port": ("Host: localhost", "host", "'localhost'"),
    "other address": ("Host: 127.0.0.2:{port}", "host", "'127.0.0.2:{port}'"),
    "no host": ("Accept: */*", "host", "missing"),
    "two hosts": ("Host: localhost:{port}\r\nHost: evil.example", "host", "'localhost:{port}' and 'evil.example'"),
    "page of the web": ("Host: localhost:{port}\r\nOrigin: https://evil.example", "origin", "'https://evil.example'"),
    "page like ours": ("Host: localhost:{port}\r\nOrigin: http://localhost.evil.example", "origin", "evil.example'"),
    "page without origin": ("Host: localhost:{port}\r\nOrigin: null", "origin", "'null'"),
    "page of a file": ("Host: localhost:{port}\r\nOrigin: file://", "origin", "'file://'"),
    "page with a path": ("Host: localhost:{port}\r\nOrigin: http://localhost/x", "origin", "'http://localhost/x'"),
}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "answers.jsonl"
    Recording(file, must_exist=False).store(Exchange(normalise("/chat/completions", _BODY), 200, {"a": 1}))
    return file


@pytest.fixture(params=["llm_record", "llm_replay", "websocket_relay"])
def program(request: pytest.FixtureRequest, recording: Path) -> Iterator[RunningProgram]:
    options = {
        "llm_record": ("--recording", str(recording), "--upstream", "http://127.0.0.1:9/v1"),
        "llm_replay": ("--recording", str(recording)),
        "websocket_relay": (),
    }[request.param]
    with RunningProgram(request.param, *options) as program:
        yield program


@pytest.fixture
def replay(recording: Path) -> Iterator[RunningProgram]:
    with RunningProgram("llm_replay", "--recording", str(recording)) as program:
        yield program


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest_asyncio.fixture
async def upstream(model: ScriptedModel) -> AsyncIterator[str]:
    async with model.listening() as url:
        yield url


def _ask(url: str, headers: str, first: str = "GET /health") -> tuple[int, str, str]:
    """Send a request by a socket; return status, head and body."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    with socket.create_connection((parts.hostname, parts.port), _TIMEOUT_S) as connection:
        connection.sendall(f"{first} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), head, body


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


@pytest.mark.parametrize("headers", _ALLOWED.values(), ids=_ALLOWED)
def test_own_names_and_pages_of_this_machine_are_answered(program: RunningProgram, headers: str) -> None:
    status, _, body = _ask(program.url, headers.format(port=_port(program.url)))
    assert (status, "ok" in body) == (200, True)


@pytest.mark.parametrize(("headers", "what", "shown"), _REFUSED.values(), ids=_REFUSED)
def test_others_are_refused(program: RunningProgram, headers: str, what: str, shown: str) -> None:
    port = _port(program.url)
    ports = {"port": port, "other": port % 60000 + 1}
    status, head, body = _ask(program.url, headers.format(**ports))
    error = json.loads(body)["error"]
    assert (status, error["code"], error["type"]) == (403, f"{what}_not_allowed", "invalid_request_error")
    assert error["message"].startswith(f"the request's {what.capitalize()} is ")
    assert shown.format(**ports) in error["message"]
    assert f"start the server with --allow-{what} " in error["message"]
    assert "Content-Type: application/json" in head
    assert "Access-Control" not in head


@pytest.mark.parametrize("first", ["POST /v1/chat/completions", "OPTIONS /v1/chat/completions", "DELETE /v1/x"])
def test_no_method_gets_past(replay: RunningProgram, first: str) -> None:
    headers = "Host: evil.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    assert _ask(replay.url, headers, first)[0] == 403


async def test_page_that_rebinds_its_name_does_not_spend_the_key(
    upstream: str, model: ScriptedModel, tmp_path: Path
) -> None:
    file = tmp_path / "new.jsonl"
    options = ("--recording", str(file), "--upstream", upstream, "--key-env", "THE_KEY")
    with await asyncio.to_thread(RunningProgram, "llm_record", *options, env={"THE_KEY": "sk-1"}) as recorder:
        async with httpx.AsyncClient(trust_env=False) as client:
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
                url = f"{recorder.url}/chat/completions"
                assert (await client.post(url, json=_BODY, headers=headers)).status_code == 403
                assert (await client.get(f"{recorder.url}/models", headers=headers)).status_code == 403
            assert model.asked == []
            assert not file.exists()
            assert (await client.post(url, json=_BODY)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/x-www-form-urlencoded"),
        ({"Content-Type": "text/plain;application/json"}, "text/plain"),
        ({}, "missing"),
    ],
)
def test_posts_that_need_no_preflight_are_refused(replay: RunningProgram, headers: dict[str, str], shown: str) -> None:
    with httpx.Client(trust_env=False) as client:
        url = f"{replay.url}/chat/completions"
        answer = client.post(url, content=json.dumps(_BODY), headers=headers)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (415, "content_type")
        assert error["message"] == (
            f"Content-Type is {shown}; expected application/json: send the header Content-Type: application/json"
        )
        # The refused body is out of the way: the same connection serves the next request.
        assert client.post(url, json=_BODY).json() == {"a": 1}


def test_page_of_this_machine_may_ask_and_read(replay: RunningProgram) -> None:
    origin = "http://localhost:5173"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    with httpx.Client(trust_env=False, headers={"Origin": origin}) as client:
        url = f"{replay.url}/chat/completions"
        preflight = client.options(url, headers=asks)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        answer = client.post(url, json=_BODY)
        assert answer.json() == {"a": 1}
        for response in (preflight, answer):
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert response.headers["Vary"] == "Origin"
        del client.headers["Origin"]
        assert "Access-Control-Allow-Origin" not in client.get(f"{replay.url}/models").headers


@pytest.mark.parametrize(
    "options",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"additional_headers": {"Host": "evil.example"}}],
    ids=["origin", "no origin", "host"],
)
async def test_web_page_gets_into_no_room(options: dict[str, Any]) -> None:
    with await asyncio.to_thread(RunningProgram, "websocket_relay") as relay:
        async with asyncio.timeout(_TIMEOUT_S), connect(f"{relay.url}/a", proxy=None) as client:
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"{relay.url}/a", proxy=None, **options)
            assert caught.value.response.status_code == 403
            assert "_not_allowed" in caught.value.response.body.decode()
            async with connect(f"{relay.url}/a", proxy=None, origin="http://localhost:3000") as page:  # type: ignore[arg-type]
                await page.send("from here")
            assert await client.recv() == "from here"


def test_names_and_origins_that_the_user_allows(recording: Path) -> None:
    options = ("--allow-host", "model", "--allow-host", "gate:90", "--allow-origin", "https://app.example/")
    with RunningProgram("llm_replay", "--recording", str(recording), *options) as replay:
        port = _port(replay.url)
        for host in ("model:8080", "MODEL", f"model:{port}", "gate:90", f"localhost:{port}"):
            assert _ask(replay.url, f"Host: {host}")[0] == 200, host
        for host in ("gate", "gate:91", "other", "sub.model"):
            assert _ask(replay.url, f"Host: {host}")[0] == 403, host
        assert _ask(replay.url, "Host: model\r\nOrigin: https://app.example")[0] == 200
        assert _ask(replay.url, "Host: model\r\nOrigin: http://app.example")[0] == 403
        body = _ask(replay.url, "Host: other")[2]
        assert "allowed: 127.0.0.1:" in body
        assert "gate:90, model" in body


def _is_allowed(callers: AllowedCallers, host: str) -> bool:
    try:
        callers.check([host], [])
    except CallerRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "port", "asked", "allowed"),
    [
        ("127.0.0.1", 80, "localhost", True),
        ("127.0.0.1", 80, "localhost:81", False),
        ("127.0.0.1", 8080, "192.168.1.5:8080", False),
        ("192.168.1.5", 8080, "192.168.1.5:8080", True),
        ("box.lan", 8080, "Box.LAN:8080", True),
        ("0.0.0.0", 8080, "192.168.1.5:8080", True),
        ("0.0.0.0", 8080, "192.168.1.5:8081", False),
        ("0.0.0.0", 8080, "evil.example:8080", False),
        ("::", 8080, "[fe80::1]:8080", True),
        ("127.0.0.1", 8080, "localhost:80x", False),
        ("127.0.0.1", 8080, "localhost:99999", False),
        ("127.0.0.1", 8080, "", False),
        ("127.0.0.1", 8080, "localhost:8080/", False),
        ("127.0.0.1", 8080, "localhost:8080?x", False),
        ("127.0.0.1", 8080, "[::1", False),
    ],
)
def test_names_of_an_address(host: str, port: int, asked: str, allowed: bool) -> None:
    assert _is_allowed(AllowedCallers(host, port), asked) is allowed
