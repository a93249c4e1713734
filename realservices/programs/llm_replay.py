"""A language model's recorded answers, replayed by an OpenAI-compatible server: `llm_service` with a recording.

    python -m realservices.programs.llm_replay --recording answers.jsonl --port 8080

A request that was not recorded, exactly, is refused with status 404 and code ``not_recorded``; the message shows what
differs from the nearest one. There is no default answer. `llm_record` makes recordings; `llm_recording` has the format.
"""

from __future__ import annotations

import argparse
import functools
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from realservices.programs.allowed_callers import add_options
from realservices.programs.llm_http import LlmRequestHandler, serve
from realservices.programs.llm_record import RecordHandler, Upstream
from realservices.programs.llm_recording import Exchange, Recording, RecordingError, normalise

_HOW = """
To record it, start `bazel run :NAME.record -- --upstream URL --key-env VARIABLE` (NAME: the llm_service), or without \
Bazel `python -m realservices.programs.llm_record --recording {name} --upstream URL --key-env VARIABLE`. Then run the \
test with `--@rules_realservices//services:llm_recorder=ADDRESS`, or TEST_LLM_URL=ADDRESS, of what that prints."""


class ReplayHandler(LlmRequestHandler):
    """Answers from a recording."""

    def __init__(self, *args: Any, recording: Recording) -> None:
        self._recording = recording
        super().__init__(*args)

    def models(self) -> list[str]:
        """Return the models that were asked when recording."""
        return self._recording.models()

    def answer_post(self, path: str, body: dict[str, Any]) -> None:
        """Answer as was recorded, or refuse."""
        request = normalise(path, body)
        exchange = self._recording.find(request)
        if exchange is None:
            message = self._recording.explain_missing(request) + _HOW.format(name=self._recording.path.name)
            self.send_refusal(HTTPStatus.NOT_FOUND, "not_recorded", message)
        elif exchange.chunks is None:
            self.send_json(exchange.status, exchange.answer)
        else:
            self._stream(exchange)

    def _stream(self, exchange: Exchange) -> None:
        self.begin_stream(exchange.status)
        for chunk in exchange.chunks or ():
            self.send_event(chunk)
        self.end_stream()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="llm_replay", description="Replays recorded answers of a language model.")
    parser.add_argument("--recording", type=Path, required=True, help="file of recorded answers (JSON lines)")
    add_options(parser)
    parser.add_argument("--recorder", default="", help="base URL of an llm_record to ask instead of replaying")
    arguments = parser.parse_args()
    if arguments.recorder:
        upstream = Upstream(arguments.recorder, "", None)
        serve("llm_replay", functools.partial(RecordHandler, upstream=upstream), arguments)
    try:
        recording = Recording(arguments.recording, must_exist=True)
    except RecordingError as error:
        sys.exit(f"llm_replay: {error}")
    serve("llm_replay", functools.partial(ReplayHandler, recording=recording), arguments)


if __name__ == "__main__":
    main()
