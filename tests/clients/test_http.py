"""The HTTP client, on a real server over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realservices.clients.errors import HttpBodyError, HttpRequestError, HttpStatusError
from realservices.clients.http_client import HttpClient


class AuthServer:
    """As much of HTTP as the client needs, with the semantics of an auth API; accounts live as long as it does."""

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        """Return status and content, or None to cut the connection."""
        self.asked.append((method, path, headers, body))
        match path.partition("?")[0]:
            case "/auth/signup":
                return self._signup(json.loads(body))
            case "/auth/login":
                return self._login(json.loads(body))
            case "/auth/me":
                who = headers.get("authorization", "")
                return (200, who.encode()) if who.startswith("Bearer access-") else (401, b'{"error": "no token"}')
            case "/text/auth/login":
                return 200, b"<html>logged in</html>"
            case "/broken/auth/login":
                return 500, b"x" * 2000
            case "/cut":
                return None
        return 404, b'{"error": "not_found"}'

    def _signup(self, content: dict[str, Any]) -> tuple[int, bytes]:
        if content["email"] in self.accounts:
            return 409, b'{"error": "email_taken", "message": "there is an account already"}'
        self.accounts[content["email"]] = content["password"]
        return 201, self._grant(content["email"])

    def _login(self, content: dict[str, Any]) -> tuple[int, bytes]:
        if self.accounts.get(content["email"]) != content["password"]:
            return 401, b'{"error": "wrong_credentials"}'
        return 200, self._grant(content["email"])

    def _grant(self, email: str) -> bytes:
        return json.dumps(
            {"access_token": f"access-{email}", "refresh_token": f"refresh-{email}", "session_id": 7}
        ).encode()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        answer = self.answer(method, path, headers, body)
        if answer is not None:
            head = f"HTTP/1.1 {answer[0]} X\r\nContent-Length: {len(answer[1])}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + answer[1])
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def auth() -> AuthServer:
    return AuthServer()


@pytest_asyncio.fixture
async def url(auth: AuthServer) -> AsyncIterator[str]:
    async with auth.listening() as listening:
        yield listening


@pytest_asyncio.fixture
async def http(url: str) -> AsyncIterator[HttpClient]:
    async with HttpClient(url, service="auth_server") as client:
        yield client


async def test_signup_then_login_then_who_am_i(http: HttpClient, auth: AuthServer) -> None:
    response = await http.auth_signup("test@example.com", "password123", name="Test")
    assert "access_token" in response
    assert "refresh_token" in response
    assert json.loads(auth.asked[0][3]) == {"email": "test@example.com", "password": "password123", "name": "Test"}
    assert (await http.get("/auth/me")).text == "Bearer access-test@example.com"
    assert (await http.auth_login("test@example.com", "password123"))["session_id"] == 7
    assert http.tokens == {"access_token": "access-test@example.com", "refresh_token": "refresh-test@example.com"}
    http.tokens.clear()
    assert (await http.get("/auth/me")).status_code == 401


async def test_login_is_sent_without_the_token_of_before(http: HttpClient, auth: AuthServer) -> None:
    await http.auth_signup("a@example.com", "password123")
    await http.auth_login("a@example.com", "password123")
    assert "authorization" not in auth.asked[-1][2]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_methods_return_the_answer_whatever_it_is(http: HttpClient, auth: AuthServer, method: str) -> None:
    response = await getattr(http, method)("/nowhere", params={"a": "b"}, headers={"X-Trace": "1"})
    assert isinstance(response, httpx.Response)
    assert response.status_code == 404
    asked = auth.asked[-1]
    assert (asked[0], asked[1], asked[2]["x-trace"]) == (method.upper(), "/nowhere?a=b", "1")


async def test_paths_are_appended_to_the_base_url(auth: AuthServer, url: str) -> None:
    async with HttpClient(f"{url}/api/v1") as client:
        await client.get("/users")
        await client.get("users")
    assert [asked[1] for asked in auth.asked] == ["/api/v1/users"] * 2


async def test_a_caller_s_own_authorization_stays(http: HttpClient, auth: AuthServer) -> None:
    http.tokens["access_token"] = "ours"
    await http.get("/nowhere", headers={"Authorization": "Basic eA=="})
    assert auth.asked[-1][2]["authorization"] == "Basic eA=="


async def test_token_goes_to_no_other_server(http: HttpClient) -> None:
    await http.auth_signup("a@example.com", "password123")
    other = AuthServer()
    async with other.listening() as elsewhere:
        await http.get(f"{elsewhere}/x")
    assert "authorization" not in other.asked[0][2]


async def test_refused_signup_says_why(http: HttpClient) -> None:
    await http.auth_signup("a@example.com", "password123")
    with pytest.raises(HttpStatusError) as caught:
        await http.auth_signup("a@example.com", "password123")
    message = str(caught.value)
    assert caught.value.status == 409
    assert f"POST /auth/signup of service 'auth_server' at {http.base_url} was answered with status 409" in message
    assert "there is an account already" in message
    assert "give each test an address of its own" in message
    assert "password123" not in message


async def test_refused_login_keeps_the_tokens_of_before(http: HttpClient) -> None:
    await http.auth_signup("a@example.com", "password123")
    with pytest.raises(HttpStatusError, match=r"status 401: .*wrong_credentials.*\n.*sign up first"):
        await http.auth_login("a@example.com", "wrong")
    assert http.tokens["access_token"] == "access-a@example.com"


async def test_service_without_auth_api(url: str) -> None:
    async with HttpClient(f"{url}/other") as client:
        with pytest.raises(HttpStatusError, match=r"status 404: .*not_found.*\n.*is it the one with the auth API"):
            await client.auth_login("a@example.com", "x")


async def test_long_answers_are_cut_in_messages(url: str) -> None:
    async with HttpClient(f"{url}/broken") as client:
        with pytest.raises(HttpStatusError, match=r"x\.\.\. \(2000 characters\)\n.*its log says why") as caught:
            await client.auth_login("a@example.com", "x")
    assert len(str(caught.value)) < 1000
    assert len(caught.value.body) == 2000


async def test_success_that_is_no_json_object(url: str) -> None:
    async with HttpClient(f"{url}/text") as client:
        with pytest.raises(HttpBodyError, match=r"status 200, but not with a JSON object: <html>logged in</html>"):
            await client.auth_login("a@example.com", "x")


async def test_refused_connection_names_service_and_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with HttpClient(f"http://user:secret@127.0.0.1:{port}", service="backend") as client:
            with pytest.raises(HttpRequestError) as caught:
                await client.get("/x?token=secret")
    message = str(caught.value)
    assert message.startswith(
        f"GET service 'backend' at http://127.0.0.1:{port}/x?token=... got no answer: ConnectError"
    )
    assert f"port {port} of 127.0.0.1 refuses connections" in message
    assert "service_control.logs('backend')" in message
    assert "secret" not in message
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


async def test_connection_that_is_cut_tells_that_the_port_is_open(http: HttpClient) -> None:
    with pytest.raises(HttpRequestError, match=r"RemoteProtocolError.*\n.*port \d+ of 127.0.0.1 is open"):
        await http.get("/cut")


async def test_answer_that_takes_too_long() -> None:
    # It accepts, by its backlog, and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with HttpClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05) as client:
            with pytest.raises(HttpRequestError, match=r"ReadTimeout.*\n.*is open"):
                await client.get("/x")


async def test_closed_client_is_not_used_again(http: HttpClient) -> None:
    await http.close()
    await http.close()
    with pytest.raises(HttpRequestError, match=r"of service 'auth_server' at http://.* has been closed"):
        await http.get("/x")


async def test_proxies_of_the_environment_are_not_asked(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await http.get("/nowhere")).status_code == 404


def test_nothing_is_imported_before_the_first_request() -> None:
    program = (
        "import sys\n"
        "from realservices.clients.http_client import HttpClient\n"
        "from realservices.clients.websocket import WebSocketClient\n"
        "from realservices.clients.llm import LlmClient\n"
        "HttpClient('http://127.0.0.1:1'), WebSocketClient('ws://127.0.0.1:1'), LlmClient('http://127.0.0.1:1/v1')\n"
        "print(sorted({'httpx', 'websockets'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout == "[]\n"
