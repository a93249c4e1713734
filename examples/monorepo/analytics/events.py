"""Events as they arrive, checked before anything is stored.

    {"event": "click", "user_id": 123, "timestamp": "2023-01-01T00:00:00", "id": "…"}

The id tells an event from any other, however often it arrives. A time without an offset is UTC.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analytics.errors import MalformedEventError

_NAME_MAX = 64
_ID_MAX = 128
_YEARS = range(1970, 2200)  # DateTime64 holds a little more


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a user did.

    Attributes:
        id: the same for the same event.
        event: its name.
        user_id: who.
        timestamp: when, in UTC.
    """

    id: str
    event: str
    user_id: int
    timestamp: datetime


def read_event(content: object, *, default_id: str | None = None) -> Event:
    """Read one event.

    Args:
        content: what JSON gave.
        default_id: for an event that has none; None if it must.

    Raises:
        MalformedEventError: it is not as above.
    """
    if not isinstance(content, dict):
        raise MalformedEventError("an event must be a JSON object")
    return Event(
        id=_text(content, "id", _ID_MAX, default_id),
        event=_text(content, "event", _NAME_MAX),
        user_id=_user_id(content),
        timestamp=_timestamp(content),
    )


def read_events(data: bytes) -> list[Event]:
    """Read a file of events: a JSON array. One without an id is known by its file's content and its place in it.

    Raises:
        MalformedEventError: it is no such file; the message says which event is wrong, counted from 0.
    """
    try:
        contents = json.loads(data)
    except (ValueError, RecursionError) as cause:
        raise MalformedEventError(f"not valid JSON: {cause}") from cause
    if not isinstance(contents, list):
        raise MalformedEventError("events must be a JSON array")
    digest = hashlib.sha256(data).hexdigest()
    events = []
    for index, content in enumerate(contents):
        try:
            events.append(read_event(content, default_id=f"{digest}:{index}"))
        except MalformedEventError as error:
            raise MalformedEventError(f"event {index}: {error}") from error
    return events


def _text(content: dict[str, Any], name: str, longest: int, default: str | None = None) -> str:
    value = content.get(name, default)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise MalformedEventError(f"{name} must be text of 1 to {longest} characters, not {value!r:.80}")
    try:
        value.encode()
    except UnicodeEncodeError as cause:  # JSON can spell half a surrogate pair, UTF-8 cannot
        raise MalformedEventError(f"{name} is not valid Unicode") from cause
    return value


def _user_id(content: dict[str, Any]) -> int:
    value = content.get("user_id")
    if type(value) is not int or not 0 <= value < 2**64:  # bool is an int, too
        raise MalformedEventError(f"user_id must be a number from 0 to 2**64 - 1, not {value!r:.80}")
    return value


def _timestamp(content: dict[str, Any]) -> datetime:
    value = content.get("timestamp")
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise MalformedEventError(f"timestamp must be a time in ISO 8601, not {value!r:.80}") from cause
    if moment.year not in _YEARS:
        raise MalformedEventError(f"timestamp must be from {_YEARS[0]} to {_YEARS[-1]}, not {value}")
    return moment
