"""The HTTP side of an OpenAI-compatible server: JSON in, JSON or server-sent events out, errors in the API's form."""

from __future__ import annotations

import json
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION = "/v1"
_BODY_MAX_BYTES = 64 * 1024 * 1024


class LlmRequestHandler(BaseHTTPRequestHandler):
    """Answers requests; a subclass says with what, in `answer_post` and `models`."""

    protocol_version = "HTTP/1.1"
    # Each event of a stream is to leave at once.
    wbufsize = 0
    disable_nagle_algorithm = True

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
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

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

    def _read_json(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _BODY_MAX_BYTES:
            self.close_connection = True  # The body, however long, is not read.
            self.send_refusal(
                HTTPStatus.LENGTH_REQUIRED, "length", f"Content-Length is {length!r}; expected 0 to {_BODY_MAX_BYTES}"
            )
            return None
        try:
            content = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            self.send_refusal(HTTPStatus.BAD_REQUEST, "invalid_json", f"the body is not JSON: {error}")
            return None
        if not isinstance(content, dict):
            self.send_refusal(HTTPStatus.BAD_REQUEST, "invalid_json", "the body is not a JSON object")
            return None
        return content


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # The client left: nobody to tell.
            super().handle_error(request, client_address)


def serve(name: str, handler: Callable[..., LlmRequestHandler], host: str, port: int) -> NoReturn:
    """Serve until SIGTERM or SIGINT, and end the process.

    Args:
        name: The program, for the line that it prints when it listens.
        handler: As for `ThreadingHTTPServer`.
        host: Address to listen on.
        port: 0 for any free one.
    """

    def stop(*_: object) -> NoReturn:
        sys.exit(0)

    with _Server((host, port), handler) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        print(f"{name} is listening on http://{host}:{server.server_port}{_VERSION}", flush=True)
        server.serve_forever()
    raise SystemExit(0)
