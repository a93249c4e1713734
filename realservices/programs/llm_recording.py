"""A file of recorded answers of a language model: what was asked, normalised, and what was answered.

JSON lines, one exchange each, meant to be checked in, read and reviewed:

    {"request": {"path": "/chat/completions", "model": "m", "messages": [...]}, "status": 200, "answer": {...}}
    {"request": {..., "stream": true}, "status": 200, "chunks": [{...}, {...}, "[DONE]"]}

A request is what the client sent, without what cannot change the answer (`_IRRELEVANT`) and in one form where the API
has several; an answer is as the model gave it, a stream chunk by chunk. Headers, and with them keys, are never kept.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# They say who asks, or how the provider is to account for it.
_IRRELEVANT = frozenset(
    ("metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "user")
)


class RecordingError(Exception):
    """A recording that cannot be read or written; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        request: Normalised.
        status: Of the answer.
        answer: The answer's JSON. None: it was a stream.
        chunks: The stream's events: JSON, or text such as ``[DONE]``.
    """

    request: dict[str, Any]
    status: int
    answer: Any = None
    chunks: tuple[Any, ...] | None = None

    def line(self) -> str:
        """Return the exchange as it stands in the file."""
        content = {"request": self.request, "status": self.status}
        content.update({"answer": self.answer} if self.chunks is None else {"chunks": list(self.chunks)})
        return json.dumps(content, ensure_ascii=False)


class Recording:
    """The exchanges of one file.

    Args:
        path: The file.
        must_exist: Whether a file that is not there is an error, or a recording to be begun.

    Raises:
        RecordingError: It is missing or damaged.
    """

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self.path = path
        self._exchanges: dict[str, Exchange] = {}
        if must_exist or path.exists():
            self._load()

    def __len__(self) -> int:
        return len(self._exchanges)

    def find(self, request: dict[str, Any]) -> Exchange | None:
        """Return what was recorded for exactly this normalised request."""
        return self._exchanges.get(_key(request))

    def models(self) -> list[str]:
        """Return the models that were asked, in the order of the file."""
        named = (exchange.request.get("model") for exchange in self._exchanges.values())
        return list(dict.fromkeys(str(model) for model in named if model))

    def explain_missing(self, request: dict[str, Any]) -> str:
        """Say how an unknown request differs from the nearest one that is known."""
        nearest = self._nearest(request)
        if nearest is None:
            return f"{self.path.name} has no recorded answers at all"
        differences = difflib.unified_diff(
            _shown(nearest), _shown(request), "nearest recorded request", "this request", lineterm="", n=1
        )
        return (
            f"{self.path.name} has no answer to this request; its {len(self)} recorded requests are matched exactly. "
            "The nearest one differs:\n" + "\n".join(differences)
        )

    def store(self, exchange: Exchange) -> None:
        """Add an exchange, or replace the one of the same request, and write the file in one step.

        Raises:
            RecordingError: The file cannot be written.
        """
        self._exchanges[_key(exchange.request)] = exchange
        text = "".join(known.line() + "\n" for known in self._exchanges.values())
        try:
            # A reader, or a kill, sees the file of before or of after, never half of it.
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, encoding="utf-8", delete=False) as file:
                file.write(text)
            os.chmod(file.name, 0o644)  # noqa: PTH101 - it is made private, and is to be checked in
            os.replace(file.name, self.path)  # noqa: PTH105
        except OSError as error:
            raise RecordingError(f"cannot write recording {self.path}: {error.strerror}") from None

    def _load(self) -> None:
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise RecordingError(f"cannot read recording {self.path}: {error}; make it with llm_record") from None
        numbers: dict[str, int] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            exchange = self._parse(number, line)
            key = _key(exchange.request)
            if key in numbers:
                raise RecordingError(
                    f"{self.path}:{number} records the same request as line {numbers[key]}; a request has one answer: "
                    "remove one of them"
                )
            numbers[key] = number
            self._exchanges[key] = exchange

    def _parse(self, number: int, line: str) -> Exchange:
        try:
            content = json.loads(line)
            chunks = content.get("chunks")
            if ("answer" in content) == (chunks is not None):
                raise ValueError("expected one of 'answer' and 'chunks'")
            # Normalised again: a line may have been written by hand, or by an older version of this program.
            request = normalise(content["request"].get("path", ""), content["request"])
            return Exchange(
                request, int(content["status"]), content.get("answer"), None if chunks is None else tuple(chunks)
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RecordingError(
                f"{self.path}:{number} is not a recorded exchange ({type(error).__name__}: {error}): {line[:200]}"
            ) from None

    def _nearest(self, request: dict[str, Any]) -> dict[str, Any] | None:
        best, nearest = -1.0, None
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2("\n".join(_shown(request)))
        for exchange in self._exchanges.values():
            matcher.set_seq1("\n".join(_shown(exchange.request)))
            # The first two are upper bounds of the third, which takes long on long prompts.
            if min(matcher.real_quick_ratio(), matcher.quick_ratio()) > best and matcher.ratio() > best:
                best, nearest = matcher.ratio(), exchange.request
        return nearest


def normalise(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a request in the form in which requests are compared.

    Args:
        path: Without the API's version: ``/chat/completions``.
        body: What the client sent.
    """
    kept = {
        name: _normal_value(value)
        for name, value in sorted(body.items())
        if name not in _IRRELEVANT and name != "path" and value is not None and (name, value) != ("stream", False)
    }
    if isinstance(kept.get("messages"), list):
        kept["messages"] = [_normal_message(message) for message in kept["messages"]]
    # What people look for first stands first.
    first: dict[str, Any] = {name: kept.pop(name) for name in ("model", "messages") if name in kept}
    return {"path": path, **first, **kept}


def _normal_message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    # A text may also be given as a list of parts; of a single part it is the same.
    if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
        content = content[0]["text"]
    rest = {name: value for name, value in message.items() if name not in ("role", "content") and value is not None}
    return {"role": message.get("role"), **({} if content is None else {"content": content}), **rest}


def _normal_value(value: Any) -> Any:
    """Return a value in which 0 and 0.0 are the same."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _normal_value(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_normal_value(entry) for entry in value]
    return value


def _key(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True)


def _shown(request: dict[str, Any]) -> list[str]:
    return json.dumps(request, indent=2, ensure_ascii=False).splitlines()
