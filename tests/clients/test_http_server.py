"""`isolated_http`: what is answered, what is kept of requests, and how it ends."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from realservices.clients.http_server import HttpServerError

if TYPE_CHECKING:
    from realservices.clients.http_server import HttpServer

_TIMEOUT_S = 60


def _ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_it_answers_what_it_is_told(isolated_http: HttpServer) -> None:
    isolated_http.answer("GET", "/users/1", json={"name": "Ann"})
    isolated_http.answer("post", "/users", status=201, body="made", headers={"X-Id": "7"})
    status, body = _ask(f"{isolated_http.url}/users/1")
    assert (status, json.loads(body)) == (200, {"name": "Ann"})
    assert _ask(f"{isolated_http.url}/users", "POST", b"{}") == (201, b"made")


def test_what_came_is_kept(isolated_http: HttpServer) -> None:
    isolated_http.answer("POST", "/a b")
    _ask(f"{isolated_http.url}/a%20b?x=1&y=", "POST", b'{"n": 1}', Authorization="Bearer t")
    (request,) = isolated_http.requests
    assert (request.method, request.path, request.params) == ("POST", "/a b", {"x": "1", "y": ""})
    assert (request.json(), request.text, request.headers["authorization"]) == ({"n": 1}, '{"n": 1}', "Bearer t")


def test_answers_come_one_after_the_other_and_the_last_one_stays(isolated_http: HttpServer) -> None:
    isolated_http.answer("GET", "/", status=503)
    isolated_http.answer("GET", "/", body=b"ok")
    assert [_ask(isolated_http.url)[0] for _ in range(3)] == [503, 200, 200]


def test_a_query_is_asked_for(isolated_http: HttpServer) -> None:
    isolated_http.answer("GET", "/s", body="any")
    isolated_http.answer("GET", "/s?q=1", body="one")
    found = [_ask(f"{isolated_http.url}/s{query}")[1] for query in ("?q=1&page=2", "?q=2", "")]
    assert found == [b"one", b"any", b"any"]


def test_what_has_no_answer_is_told(isolated_http: HttpServer) -> None:
    isolated_http.answer("GET", "/a")
    status, body = _ask(f"{isolated_http.url}/b", "DELETE")
    assert status == 404
    assert body == b"the test has given no answer for DELETE /b; it has for: GET /a"


def test_a_head_has_no_body(isolated_http: HttpServer) -> None:
    isolated_http.answer("HEAD", "/a", body="abc")
    assert _ask(f"{isolated_http.url}/a", "HEAD") == (200, b"")


def test_a_stopped_server_refuses_connections(isolated_http: HttpServer) -> None:
    isolated_http.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        _ask(isolated_http.url)
    isolated_http.stop()


def test_another_host_gets_nothing(isolated_http: HttpServer) -> None:
    isolated_http.answer("GET", "/", body="secret")
    status, body = _ask(isolated_http.url, Host="evil.example:80")
    assert status == 403
    assert b"secret" not in body
    assert isolated_http.requests == []


def test_a_path_without_a_slash_is_refused(isolated_http: HttpServer) -> None:
    with pytest.raises(HttpServerError, match="the path 'users' does not begin with '/'"):
        isolated_http.answer("GET", "users")
