"""Shapes: what has one passes, and what has not is told by key, value and expectation."""

from __future__ import annotations

from typing import Any

import pytest

from realservices.contract.shapes import (
    NAME,
    PORT,
    POSITIVE,
    VARIABLE,
    Only,
    ShapeError,
    check,
    load_json,
    shown,
    whole_number,
)

_PART = (str, {"service": str, "field": str})
_SHAPE = {
    "name": NAME,
    "ports?": {str: PORT},
    "timeout?": POSITIVE,
    "needs?": [str],
    "parts?": [_PART],
    "state?": frozenset({"ready", "failed"}),
    "pid?": (int, None),
    "env?": {VARIABLE: [_PART]},
    "more?": Only({"a": bool, "b?": float}),
}


def test_what_has_the_shape_passes() -> None:
    content = {
        "name": "db",
        "ports": {"http": 80},
        "timeout": 0.5,
        "needs": [],
        "parts": ["x", {"service": "", "field": "url", "port": "p"}],
        "state": "ready",
        "pid": None,
        "env": {"A": ["b"]},
        "more": {"a": True, "b": 1},
        "of a later release": [],
    }
    check(content, _SHAPE)
    for key in _SHAPE:
        with pytest.raises(ShapeError, match=key.removesuffix("?")):
            check({**content, key.removesuffix("?"): object()}, _SHAPE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "it is [], not an object"),
        ({}, "name is missing: a text that is not empty"),
        ({"name": ""}, "name is '', not a text that is not empty"),
        ({"name": "a\0"}, r"name is 'a\x00', not a text that is not empty"),
        ({"name": "a", "ports": {"http": 0}}, "ports.http is 0, not a whole number from 1 to 65535"),
        ({"name": "a", "ports": {"http": 1.0}}, "ports.http is 1.0, not a whole number from 1 to 65535"),
        ({"name": "a", "ports": {"http": True}}, "ports.http is True, not a whole number from 1 to 65535"),
        ({"name": "a", "ports": [80]}, "ports is [80], not an object"),
        ({"name": "a", "timeout": 0}, "timeout is 0, not a number above 0"),
        ({"name": "a", "timeout": float("inf")}, "timeout is inf, not a number above 0"),
        ({"name": "a", "timeout": float("nan")}, "timeout is nan, not a number above 0"),
        ({"name": "a", "timeout": 10**400}, "timeout is a number of too many digits, not a number above 0"),
        ({"name": "a", "needs": "b"}, "needs is 'b', not a list of texts"),
        ({"name": "a", "needs": ["b", 1]}, "needs[1] is 1, not a text"),
        (
            {"name": "a", "needs": ["\ud800"]},
            r"needs[0] is '\ud800', not a text without NUL characters and halves of surrogate pairs",
        ),
        ({"name": "a", "parts": [1]}, "parts[0] is 1, not a text or an object"),
        ({"name": "a", "parts": [{"service": 1}]}, "parts[0].service is 1, not a text"),
        ({"name": "a", "state": ["ready"]}, "state is ['ready'], not one of failed, ready"),
        ({"name": "a", "pid": "1"}, "pid is '1', not a whole number or null"),
        ({"name": "a", "env": {"A=B": []}}, "env: the key is 'A=B', not a name of a variable"),
        ({"name": "a", "more": {"b": 1}}, "more.a is missing: true or false"),
        ({"name": "a", "more": {"a": True, "c": 1}}, "more: unknown key 'c'; there are a, b"),
    ],
)
def test_what_has_not_is_told(content: Any, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        check(content, _SHAPE)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("-Infinity", "-Infinity is not a JSON number"),
        (b"\xff{}", "it is not UTF-8: invalid start byte at byte 0"),
        ("", "Expecting value"),
    ],
)
def test_what_is_no_json(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_json(text)


def test_a_number_beyond_all_numbers_is_none() -> None:
    with pytest.raises(ShapeError, match="x is inf, not a number"):
        check(load_json('{"x": 1e999}'), {"x": float})


def test_values_are_shown_briefly() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, "x" * 10**6, 16**10_000, ["y" * 1000] * 1000, {str(n): n for n in range(1000)}):
        assert len(shown(value)) < 4000
    assert shown("\x1b[2J\udcff") == r"'\x1b[2J\udcff'"


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "+1", "1_0", " 1", "1.0", "9" * 19])
def test_what_is_no_whole_number(text: str) -> None:
    assert whole_number(text) is None


def test_whole_numbers() -> None:
    assert [whole_number(text) for text in ("0", "007", "65535")] == [0, 7, 65535]
