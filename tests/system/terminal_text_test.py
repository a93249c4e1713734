"""Text of others on a terminal: shown, never obeyed."""

from __future__ import annotations

import json

import pytest

from realservices.system.terminal_text import as_json_text, as_output, as_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 日本, 😀", "plain, é, 日本, 😀"),
        ("no\u00a0break", "no\u00a0break"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\rb\nc\td\x00", r"a\rb\nc\td\x00"),
        ("\x7f\x9b2J", r"\x7f\x9b2J"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202eabc\u2066\u2028", r"\u202eabc\u2066\u2028"),
        ("\udcff", r"\udcff"),
    ],
)
def test_a_value(text: str, shown: str) -> None:
    assert as_text(text) == shown
    assert as_text(text).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\n\ttwo", "one\n\ttwo"),
        ("\x1b[31mred\x1b[0m and not", "\x1b[31mred\x1b[0m and not"),
        ("\x1b[1;38;5;9mred", "\x1b[1;38;5;9mred\x1b[0m"),
        ("\x1b[mplain", "\x1b[mplain"),
        ("over\rwritten", r"over\rwritten"),
        ("\x1b[2J\x1b[31;Hx", r"\x1b[2J\x1b[31;Hx"),
        ("\x1b[", r"\x1b["),
        ("\x1b[31", r"\x1b[31"),
        ("\x1b\x1b[31m", "\\x1b\x1b[31m\x1b[0m"),
        ("\x1b]52;c;aGk=\x07\x1bPq", r"\x1b]52;c;aGk=\x07\x1bPq"),
        ("\x9b31mx", r"\x9b31mx"),
    ],
)
def test_a_log(text: str, shown: str) -> None:
    assert as_output(text) == shown


def test_json_says_the_same() -> None:
    content = {"a\x9b\u202e": ["\x1b[2J\x7f\udcff", "é 😀"]}
    text = as_json_text(json.dumps(content, ensure_ascii=False, indent=1))
    assert json.loads(text) == content
    assert text.encode()
    assert all(line.isprintable() for line in text.splitlines())
