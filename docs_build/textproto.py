"""Messages as Bazel's `starlark_doc_extract` writes them (https://protobuf.dev/reference/protobuf/textformat-spec)."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<open>\w+)\s*\{|(?P<close>\})|(?P<name>\w+):\s*(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^"\s]+)))"""
)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}

Message = dict[str, list[Any]]


def parse(text: str) -> Message:
    """Return the fields of a message by name: each a list of texts and messages, in their order."""
    stack: list[Message] = [{}]
    end = 0
    while token := _TOKEN.match(text, end):
        end = token.end()
        if token["open"]:
            inner: Message = {}
            stack[-1].setdefault(token["open"], []).append(inner)
            stack.append(inner)
        elif token["close"]:
            stack.pop()
        else:
            value = token["word"] if token["text"] is None else _unescaped(token["text"])
            stack[-1].setdefault(token["name"], []).append(value)
    if text[end:].strip() or len(stack) != 1:
        raise ValueError(f"no textproto at character {end}: {text[end : end + 40]!r}")
    return stack[0]


def one(message: Message, name: str) -> str:
    """Return the text of a field, "" if it is not there."""
    return str(message.get(name, [""])[0])


def _unescaped(text: str) -> str:
    def plain(escape: re.Match[bytes]) -> bytes:
        code = escape[1]
        return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)

    written = _ESCAPE.sub(plain, text.encode()).decode()
    try:
        # Bazel 7 keeps each byte of a .bzl file as a character and writes that as UTF-8.
        return written.encode("latin-1").decode()
    except UnicodeError:
        return written
