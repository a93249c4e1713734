"""What clients of the chat may send, read and checked before anything is done about it.

{"type": "chat", "thread_id": 1, "text": "…", "client_id": "…"}   client_id is optional
{"type": "read", "thread_id": 1}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from backend.errors import MalformedInputError

TEXT_MAX = 4000
CLIENT_ID_MAX = 64
ID_MAX = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A message to a thread."""

    thread_id: int
    text: str
    client_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Read:
    """A thread has been read up to its end."""

    thread_id: int


def read_frame(data: str | bytes) -> Chat | Read:
    """Read a frame of a client's.

    Raises:
        MalformedInputError: it is not one of those above.
    """
    content = _object(data)
    match content.get("type"):
        case "chat":
            client_id = None if content.get("client_id") is None else checked_text(content, "client_id", CLIENT_ID_MAX)
            text = checked_text(content, "text", TEXT_MAX)
            return Chat(thread_id=checked_id(content, "thread_id"), text=text, client_id=client_id)
        case "read":
            return Read(thread_id=checked_id(content, "thread_id"))
    raise MalformedInputError("frame needs a type, chat or read")


def checked_text(content: dict[str, Any], name: str, longest: int) -> str:
    """Return a field that holds text.

    Raises:
        MalformedInputError: it does not, or too much of it, or what PostgreSQL cannot store.
    """
    value = content.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise MalformedInputError(f"{name} must be text of 1 to {longest} characters")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise MalformedInputError(f"{name} must be valid Unicode without NUL")
    return value


def checked_id(content: dict[str, Any], name: str) -> int:
    """Return a field that holds an id.

    Raises:
        MalformedInputError: it does not.
    """
    return checked_number(content.get(name), name)


def checked_number(value: object, name: str) -> int:
    """Return an id.

    Raises:
        MalformedInputError: it is none.
    """
    if type(value) is not int or not 0 < value <= ID_MAX:  # bool is an int, too
        raise MalformedInputError(f"{name} must be a positive number")
    return value


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as cause:
        raise MalformedInputError("frame is not valid JSON") from cause
    if not isinstance(content, dict):
        raise MalformedInputError("frame must be a JSON object")
    return content
