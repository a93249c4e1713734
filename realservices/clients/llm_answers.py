"""What a language model answers, as typed values, and how they are put together from the JSON of the OpenAI API.

The format is that of the chat completions reference (https://platform.openai.com/docs/api-reference/chat).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.clients.errors import LlmError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants to be called.

    Attributes:
        id: What the result must refer to.
        name: The function's name.
        arguments: JSON text, as the model wrote it.
    """

    id: str
    name: str
    arguments: str

    def parsed_arguments(self) -> dict[str, Any]:
        """Return the arguments.

        Raises:
            LlmError: The model did not write a JSON object.
        """
        try:
            content = json.loads(self.arguments or "{}")
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise LlmError(
                f"the model called {self.name!r} with arguments that are not a JSON object: {self.arguments}",
                status=200,
            )
        return content


@dataclass(frozen=True, slots=True)
class Usage:
    """How many tokens a request took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class ChatResult:
    """One answer.

    Attributes:
        text: What the model said. Empty where it only calls tools.
        tool_calls: In the model's order.
        usage: None: the server does not count.
        finish_reason: ``stop``, ``length``, ``tool_calls``, ``content_filter``.
        model: What the server says has answered.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage | None
    finish_reason: str
    model: str = ""


@dataclass(slots=True)
class _CallParts:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChunkCollector:
    """Puts an answer together from a stream's chunks."""

    def __init__(self) -> None:
        self.finish_reason = ""
        self._text: list[str] = []
        self._calls: dict[int, _CallParts] = {}
        self._usage: Usage | None = None
        self._model = ""

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk and return the text that it adds."""
        self._model = chunk.get("model") or self._model
        self._usage = _usage(chunk) or self._usage
        choices = chunk.get("choices") or [{}]  # The last chunk, with the usage, has none.
        self.finish_reason = choices[0].get("finish_reason") or self.finish_reason
        delta = choices[0].get("delta") or {}
        for call in delta.get("tool_calls") or ():
            self._add_call(call)
        text: str = delta.get("content") or ""
        self._text.append(text)
        return text

    def result(self) -> ChatResult:
        """Return the whole answer."""
        calls = (self._calls[index] for index in sorted(self._calls))
        return ChatResult(
            text="".join(self._text),
            tool_calls=tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for call in calls),
            usage=self._usage,
            finish_reason=self.finish_reason,
            model=self._model,
        )

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        # A call's first delta has id and name; the arguments come in pieces, told apart by the index.
        parts = self._calls.setdefault(delta.get("index", 0), _CallParts())
        function = delta.get("function") or {}
        parts.id = delta.get("id") or parts.id
        parts.name = function.get("name") or parts.name
        parts.arguments.append(function.get("arguments") or "")


def read_completion(content: Mapping[str, Any]) -> ChatResult:
    """Return the answer that a chat completion holds."""
    choice = content["choices"][0]
    message = choice["message"]
    calls = message.get("tool_calls") or ()
    return ChatResult(
        text=message.get("content") or "",
        tool_calls=tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls
        ),
        usage=_usage(content),
        finish_reason=choice.get("finish_reason") or "",
        model=content.get("model") or "",
    )


def _usage(content: Mapping[str, Any]) -> Usage | None:
    usage = content.get("usage")
    if not usage:
        return None
    return Usage(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0), usage.get("total_tokens", 0))
