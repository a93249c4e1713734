"""One message of a thread, and how it travels: the same JSON object to other processes and to clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """A stored message.

    Attributes:
        thread_id: where.
        number: position in the thread; from 1, without gaps.
        sender_id: who; None if the account is gone.
        text: what.
        sent_at: when, by the database's clock.
        client_id: what the sender's program calls it; None if it does not care.
    """

    thread_id: int
    number: int
    sender_id: int | None
    text: str
    sent_at: datetime
    client_id: str | None = None


def to_frame(message: Message) -> dict[str, Any]:
    """Make the frame that clients get."""
    return {
        "type": "chat",
        "thread_id": message.thread_id,
        "number": message.number,
        "sender_id": message.sender_id,
        "text": message.text,
        "sent_at": message.sent_at.isoformat(),
        "client_id": message.client_id,
    }


def from_frame(frame: dict[str, Any]) -> Message:
    """Read what `to_frame` made."""
    fields = {name: value for name, value in frame.items() if name not in ("type", "sent_at")}
    return Message(sent_at=datetime.fromisoformat(frame["sent_at"]), **fields)
