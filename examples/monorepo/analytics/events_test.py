"""Events as they arrive."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from analytics.errors import MalformedEventError
from analytics.events import Event, read_event, read_events

CLICK = {"id": "1", "event": "click", "user_id": 123, "timestamp": "2023-01-01T00:00:00"}
NEW_YEAR = datetime(2023, 1, 1, tzinfo=UTC)


def test_event_is_read() -> None:
    assert read_event(CLICK) == Event(id="1", event="click", user_id=123, timestamp=NEW_YEAR)


@pytest.mark.parametrize(
    "timestamp", ["2023-01-01T00:00:00Z", "2023-01-01 00:00:00+00:00", "2023-01-01T01:00:00+01:00", "2023-01-01"]
)
def test_time_is_utc_however_it_is_written(timestamp: str) -> None:
    assert read_event({**CLICK, "timestamp": timestamp}).timestamp == NEW_YEAR


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("event", value) for value in (None, "", 7, "x" * 65, "\ud800")),
        *(("user_id", value) for value in (None, -1, 2**64, 1.0, "123", True)),
        *(("id", value) for value in ("", 7, "x" * 129)),
        *(
            ("timestamp", value)
            for value in (None, "", "yesterday", 0, "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00")
        ),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_wrong_field_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(MalformedEventError, match=field):
        read_event({**CLICK, field: value})


@pytest.mark.parametrize("content", [None, 7, "click", [CLICK]], ids=ascii)
def test_what_is_no_object_is_refused(content: object) -> None:
    with pytest.raises(MalformedEventError, match="object"):
        read_event(content)


def test_event_without_an_id_is_refused_where_nothing_else_tells_it_from_others() -> None:
    with pytest.raises(MalformedEventError, match="id"):
        read_event({name: value for name, value in CLICK.items() if name != "id"})


def test_events_of_a_file_are_known_by_the_file_and_their_place() -> None:
    click = {name: value for name, value in CLICK.items() if name != "id"}
    first, second = read_events(json.dumps([click, click]).encode())
    assert first.id != second.id
    assert read_events(json.dumps([click, click]).encode()) == [first, second]
    (other,) = read_events(json.dumps([click]).encode())
    assert other.id not in (first.id, second.id)
    assert read_events(json.dumps([CLICK]).encode())[0].id == "1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"{}", "array"),
        (json.dumps([CLICK, {**CLICK, "user_id": -1}]).encode(), "event 1: user_id"),
    ],
    ids=["empty", "binary", "deep", "object", "one wrong event"],
)
def test_what_is_no_file_of_events_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedEventError, match=reason):
        read_events(data)
