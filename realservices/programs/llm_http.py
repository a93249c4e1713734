"""The HTTP side of an OpenAI-compatible server: JSON in, JSON or server-sent events out, errors in the API's form."""

from __future__ import annotations

import json
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from realservices.programs.allowed_callers import AllowedCallers, CallerRefusedError, allowed_callers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_VERSION = "/v1"
_JSON = "application/json"
_BODY_MAX_BYTES = 64 * 1024 * 1024


class LlmRequestHandler(BaseHTTPRequestHandler):
    """Answers requests; a subclass says with what, in `answer_post` and `models`."""

    protocol_version = "HTTP/1.1"
    # Each event of a stream is to leave at once.
    wbufsize = 0
    disable_nagle_algorithm = True
    server: _Server
    # Origin of the web page that sent the request, where one did that is allowed.
    _page = ""

    def answer_post(self, path: str, body: dict[str, Any]) -> None:
        """Answer a POST request.

        Args:
            path: Without the API's version.
            body: The request's JSON object.
        """
        raise NotImplementedError

    def models(self) -> list[str]:
        """Return the names of the models that there are."""
        raise NotImplementedError

    def parse_request(self) -> bool:
        """Refuse, whatever the method is, who is not allowed."""
        self._page = ""
        if not super().parse_request():
            return False
        origins = self.headers.get_all("Origin", [])
        try:
            self.server.callers.check(self.headers.get_all("Host", []), origins)
        except CallerRefusedError as error:
            self._drop_body()
            self.send_refusal(HTTPStatus.FORBIDDEN, error.code, str(error))
            return False
        self._page = "".join(origins)
        return True

    def do_OPTIONS(self) -> None:
        """Answer a browser that asks whether a page of this machine may send JSON."""
        self._drop_body()
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("Access-Control-Allow-Methods", "GET, POST")
        asked = self.headers.get("Access-Control-Request-Headers", "").split()
        self.send_header("Access-Control-Allow-Headers", " ".join(asked))
        self.end_headers()

    def do_GET(self) -> None:
        """Answer the readiness probe and the list of models."""
        path = urlsplit(self.path).path
        if path == "/health":
            self.send_json(HTTPStatus.OK, {"status": "ok"})
        elif path == f"{_VERSION}/models":
            self._answer_models()
        else:
            self.send_refusal(
                HTTPStatus.NOT_FOUND, "unknown_url", f"there is no GET {path}; known: /health, /v1/models"
            )

    def do_POST(self) -> None:
        """Read the request and have it answered."""
        path = urlsplit(self.path).path
        kind = self.headers.get_content_type() if "Content-Type" in self.headers else None
        if kind != _JSON:
            # Other types, and none, are what any web page may send without asking first.
            self._drop_body()
            message = f"Content-Type is {kind or 'missing'}; expected {_JSON}: send the header Content-Type: {_JSON}"
            self.send_refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_type", message)
            return
        body = self._read_json()
        if body is None:
            return
        if not path.startswith(f"{_VERSION}/"):
            self.send_refusal(HTTPStatus.NOT_FOUND, "unknown_url", f"there is no POST {path}; paths begin with /v1/")
            return
        self.answer_post(path.removeprefix(_VERSION), body)

    def send_json(self, status: int, content: Any) -> None:
        """Answer with JSON."""
        data = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def end_headers(self) -> None:
        """Let the page that asks, if it is allowed, read the answer."""
        if self._page:
            self.send_header("Access-Control-Allow-Origin", self._page)
            self.send_header("Vary", "Origin")
        super().end_headers()

    def send_refusal(self, status: int, code: str, message: str) -> None:
        """Answer with an error in the API's form, and log it."""
        print(f"{self.command} {self.path}: {status} {message}", file=sys.stderr, flush=True)
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self.send_json(status, {"error": error})

    def begin_stream(self, status: int) -> None:
        """Answer with events, which `send_event` sends one by one until `end_stream`."""
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_event(self, content: Any) -> None:
        """Send one event: JSON, or text as it is."""
        data = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

    def end_stream(self) -> None:
        """End the answer in order; without it, the client sees a stream that broke off."""
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet of requests that are answered; refusals are logged."""

    def _answer_models(self) -> None:
        try:
            names = self.models()
        except (OSError, ValueError) as error:
            self.send_refusal(HTTPStatus.BAD_GATEWAY, "upstream", f"the upstream's models are not known: {error}")
            return
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "realservices"} for name in names]
        self.send_json(HTTPStatus.OK, {"object": "list", "data": listed})

    def _drop_body(self) -> None:
        """Read what nobody wants: a connection closed with bytes unread is reset, and the answer lost."""
        length = self.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) <= _BODY_MAX_BYTES:
            self.rfile.read(int(length))
        else:
            self.close_connection = True

    def _read_json(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        # isdigit alone has other scripts' digits, and ², of which int makes nothing.
        is_number = length.isascii() and length.isdigit() and len(length) <= len(str(_BODY_MAX_BYTES))
        if not is_number or int(length) > _BODY_MAX_BYTES:
            self.close_connection = True  # The body, however long, is not read.
            self.send_refusal(
                HTTPStatus.LENGTH_REQUIRED, "length", f"Content-Length is {length!r}; expected 0 to {_BODY_MAX_BYTES}"
            )
            return None
        try:
            content = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            self.send_refusal(HTTPStatus.BAD_REQUEST, "invalid_json", f"the body is not JSON: {error}")
            return None
        if not isinstance(content, dict):
            self.send_refusal(HTTPStatus.BAD_REQUEST, "invalid_json", "the body is not a JSON object")
            return None
        return content


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    callers: AllowedCallers

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # The client left: nobody to tell.
            super().handle_error(request, client_address)


def serve(name: str, handler: Callable[..., LlmRequestHandler], arguments: argparse.Namespace) -> NoReturn:
    """Serve until SIGTERM or SIGINT, and end the process.

    Args:
        name: The program, for the line that it prints when it listens.
        handler: As for `ThreadingHTTPServer`.
        arguments: With the options of `allowed_callers`.
    """

    def stop(*_: object) -> NoReturn:
        sys.exit(0)

    with _Server((arguments.host, arguments.port), handler) as server:
        server.callers = allowed_callers(arguments, server.server_port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        print(f"{name} is listening on http://{arguments.host}:{server.server_port}{_VERSION}", flush=True)
        server.serve_forever()
    raise SystemExit(0)
