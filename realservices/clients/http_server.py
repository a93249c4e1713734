"""An HTTP server of a test's own: real sockets and real status lines, with the answers that the test gives it.

For code under test that calls an API which no service of the test is. Only http.server of the standard library is used,
and it is imported with the first server.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = "127.0.0.1"
_POLL_S = 0.01
_MISSING: Any = object()


class HttpServerError(RealServicesError):
    """The server is asked for what it cannot do."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that the server has got.

    Attributes:
        method: For example ``GET``.
        path: Without the query, unquoted.
        params: The query's values by name; of a name that comes twice the last.
        headers: By their names in lower case.
        body: What was sent.
    """

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Route:
    params: dict[str, str]
    answers: list[_Answer] = field(default_factory=list)

    def next(self) -> _Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class HttpServer:
    """A server on loopback that gives the answers it is told.

    Attributes:
        url: Its base URL, without a slash at the end.
        requests: What it has got, the earliest first; also what it had no answer for.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self._routes: dict[tuple[str, str], list[_Route]] = {}
        self._lock = threading.Lock()
        self._server = _Server((_HOST, 0), self._handle)
        self.url = f"http://{_HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()

    def answer(
        self, method: str, path: str, *, status: int = 200, json: Any = _MISSING, body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Answer requests for a path.

        Told again for the same request, it gives the answers one after the other, and the last one from then on.

        Args:
            method: For example ``GET``.
            path: Begins with a slash. With a query, only requests with these values get the answer.
            status: The status code.
            json: What is sent as JSON.
            body: What is sent as it is, where no `json` is given.
            headers: More of them.

        Raises:
            HttpServerError: The path does not begin with a slash.
        """
        if not path.startswith("/"):
            raise HttpServerError(
                f"the path {path!r} does not begin with '/': give a path of this server, such as '/users/1'"
            )
        given = dict(headers or {})
        content = body.encode() if isinstance(body, str) else body
        if json is not _MISSING:
            content = _dumped(json)
            given = {"Content-Type": "application/json"} | given
        asked = urlsplit(path)
        params = dict(parse_qsl(asked.query, keep_blank_values=True))
        with self._lock:
            routes = self._routes.setdefault((method.upper(), unquote(asked.path)), [])
            route = next((each for each in routes if each.params == params), None)
            if route is None:
                route = _Route(params)
                routes.append(route)
            route.answers.append(_Answer(status, content, given))

    def stop(self) -> None:
        """Listen no more: from now on connections are refused."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _handle(self, request: ReceivedRequest) -> _Answer:
        with self._lock:
            self.requests.append(request)
            routes = self._routes.get((request.method, request.path), ())
            fitting = [each for each in routes if each.params.items() <= request.params.items()]
            if fitting:
                return max(fitting, key=lambda each: len(each.params)).next()
            known = ", ".join(f"{method} {path}" for method, path in self._routes) or "none"
        text = f"the test has given no answer for {request.method} {request.path}; it has for: {known}"
        return _Answer(404, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handle: Any) -> None:
        self.handle_received = handle
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection. It is HTTP/1.0, so that no connection stays open behind its answer."""

    server: _Server
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):  # The client has gone away: a test of deadlines does that.
            super().handle_one_request()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("host", "").rpartition(":")[0] not in (_HOST, "localhost"):
            # A web page of elsewhere whose name leads to loopback (DNS rebinding) gets nothing.
            self.send_error(403, "the Host is not this server's address")
            return
        answer = self.server.handle_received(
            ReceivedRequest(
                self.command, unquote(asked.path), dict(parse_qsl(asked.query, keep_blank_values=True)), headers,
                self.rfile.read(length),
            )
        )  # fmt: skip
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        """Write nothing: what came is in `requests`."""
