"""What clients of the chat may send."""

from __future__ import annotations

import json

import pytest

from backend.errors import MalformedInputError
from backend.frames import Chat, Read, read_frame

CHAT = {"type": "chat", "thread_id": 1, "text": "hello"}


def test_frames_are_read() -> None:
    assert read_frame(json.dumps(CHAT)) == Chat(thread_id=1, text="hello")
    assert read_frame(json.dumps({**CHAT, "client_id": "a"})) == Chat(thread_id=1, text="hello", client_id="a")
    assert read_frame(json.dumps({**CHAT, "client_id": None, "more": 1})) == Chat(thread_id=1, text="hello")
    assert read_frame(b'{"type": "read", "thread_id": 9223372036854775807}') == Read(thread_id=2**63 - 1)


@pytest.mark.parametrize("text", ["x" * 4000, "🙂" * 4000, " ", "'; DROP TABLE messages; --", "\u2028"])
def test_any_text_within_limits_is_text(text: str) -> None:
    assert read_frame(json.dumps({**CHAT, "text": text})) == Chat(thread_id=1, text=text)


@pytest.mark.parametrize(
    "data", ["", "{", "[]", "null", "7", '"chat"', b"\xff", "[" * 60_000, "{}"], ids=lambda d: ascii(d[:9])
)
def test_what_is_no_frame_is_refused(data: str | bytes) -> None:
    with pytest.raises(MalformedInputError, match="frame"):
        read_frame(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("thread_id", value) for value in (None, 0, -1, 1.0, "1", True, 2**63, [1])),
        *(("text", value) for value in (None, "", 7, "x" * 4001, "\x00", "\ud800")),
        *(("client_id", value) for value in ("", 7, "x" * 65, "a\x00")),
        ("type", "shout"),
        ("type", None),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_wrong_field_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(MalformedInputError, match=field):
        read_frame(json.dumps({**CHAT, field: value}))
