"""Records a language model's answers: an OpenAI-compatible server that asks a real one and keeps what it says.

    OPENAI_API_KEY=... python -m realservices.programs.llm_record --recording answers.jsonl \
        --upstream https://api.example.com/v1 --key-env OPENAI_API_KEY --port 8080

Run tests with TEST_LLM_URL set to the address that it prints, then stop it and check the file in. The key goes to the
upstream and nowhere else. An answer is kept when it is complete; those that only say why there is none (a wrong key, a
limit, a fault of the upstream) are passed on and not kept. A request that is asked again replaces its answer.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import threading
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.programs.allowed_callers import add_options
from realservices.programs.llm_http import LlmRequestHandler, serve
from realservices.programs.llm_recording import Exchange, Recording, RecordingError, normalise

if TYPE_CHECKING:
    from http.client import HTTPResponse

_TIMEOUT_S = 300.0
_DATA = b"data:"
# Not the model's answer but the state of the account or of the server.
_PASSING = frozenset((401, 402, 403, 407, 408, 425, 429))


class Upstream:
    """The real endpoint, and where its answers are kept.

    Args:
        url: Of the API, with its version.
        key: Sent as Bearer. Empty: none.
        recording: Where answers go. None: they are only passed on.
    """

    def __init__(self, url: str, key: str, recording: Recording | None) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._recording = recording
        self._writing = threading.Lock()

    def open(self, path: str, body: dict[str, Any] | None = None) -> HTTPResponse | urllib.error.HTTPError:
        """Send a request and return the answer, whatever its status is."""
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers)  # noqa: S310 - main() has checked the scheme
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
        except urllib.error.HTTPError as error:
            return error
        return answer

    def keep(self, exchange: Exchange) -> None:
        """Keep an answer, unless it says nothing of the model.

        Raises:
            RecordingError: It cannot be written, or the key is in it.
        """
        if self._recording is None:
            return
        if exchange.status in _PASSING or exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            print(f"llm_record: not kept, because of status {exchange.status}", file=sys.stderr, flush=True)
            return
        if self._key and self._key in exchange.line():
            raise RecordingError("not kept: the request or its answer contains the upstream's key")
        with self._writing:
            self._recording.store(exchange)


class RecordHandler(LlmRequestHandler):
    """Passes requests on, and answers back."""

    def __init__(self, *args: Any, upstream: Upstream) -> None:
        self._upstream = upstream
        super().__init__(*args)

    def models(self) -> list[str]:
        """Return the upstream's models."""
        with self._upstream.open("/models") as answer:
            return [entry["id"] for entry in json.load(answer).get("data", [])]

    def answer_post(self, path: str, body: dict[str, Any]) -> None:
        """Ask the upstream."""
        try:
            with self._upstream.open(path, body) as answer:
                if answer.headers.get_content_type() == "text/event-stream":
                    self._pass_stream(normalise(path, body), answer)
                else:
                    self._pass_whole(normalise(path, body), answer)
        except (OSError, ValueError, RecordingError) as error:
            self.send_refusal(
                HTTPStatus.BAD_GATEWAY, "not_recorded", f"recording failed: {type(error).__name__}: {error}"
            )

    def _pass_whole(self, request: dict[str, Any], answer: HTTPResponse | urllib.error.HTTPError) -> None:
        status = answer.status or HTTPStatus.BAD_GATEWAY
        content = json.loads(answer.read())
        self._upstream.keep(Exchange(request, status, content))
        self.send_json(status, content)

    def _pass_stream(self, request: dict[str, Any], answer: HTTPResponse | urllib.error.HTTPError) -> None:
        status = answer.status or HTTPStatus.BAD_GATEWAY
        chunks: list[Any] = []
        self.begin_stream(status)
        try:
            for line in answer:
                if line.startswith(_DATA):
                    chunks.append(_content(line[len(_DATA) :].strip().decode()))
                    self.send_event(chunks[-1])
            if chunks[-1:] != ["[DONE]"]:
                raise RecordingError(f"the upstream broke off its stream after {len(chunks)} events")
            self._upstream.keep(Exchange(request, status, chunks=tuple(chunks)))
        except (OSError, ValueError, RecordingError) as error:
            # The head is out: only an event can tell the client.
            print(f"llm_record: {error}", file=sys.stderr, flush=True)
            self.send_event({"error": {"message": f"recording failed: {error}", "code": "not_recorded"}})
        self.end_stream()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="llm_record", description="Records a language model's answers.")
    parser.add_argument("--recording", type=Path, required=True, help="file to add answers to (JSON lines)")
    parser.add_argument("--upstream", required=True, help="base URL of an OpenAI-compatible API, with its version")
    parser.add_argument("--key-env", default="", help="environment variable that holds the upstream's key")
    add_options(parser)
    arguments = parser.parse_args()
    if not arguments.upstream.startswith(("http://", "https://")):
        parser.error(f"--upstream is {arguments.upstream!r}; expected a URL that begins with http:// or https://")
    if arguments.key_env and not os.environ.get(arguments.key_env):
        parser.error(f"--key-env names {arguments.key_env}, which is not set in the environment")
    try:
        # `bazel run` starts it elsewhere; the file is meant relative to the workspace.
        file = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "")) / arguments.recording
        recording = Recording(file, must_exist=False)
    except RecordingError as error:
        sys.exit(f"llm_record: {error}")
    key = os.environ.get(arguments.key_env, "") if arguments.key_env else ""
    upstream = Upstream(arguments.upstream, key, recording)
    serve("llm_record", functools.partial(RecordHandler, upstream=upstream), arguments)


def _content(data: str) -> Any:
    return data if data == "[DONE]" else json.loads(data)


if __name__ == "__main__":
    main()
