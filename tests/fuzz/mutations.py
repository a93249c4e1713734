"""Damage: a value or its text, changed at random by a seed that a failure names.

Two kinds of change: of the structure (another value in a place, a key lost or doubled, a value wrapped), which reaches
what a parser lets through, and of the bytes, which reaches the parser. FUZZ_MUTATIONS says how many of each format are
tried, FUZZ_SEED where to begin: with 1 and the seed that a failure names, that one is repeated.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

COUNT = int(os.environ.get("FUZZ_MUTATIONS") or 60)
_FIRST = int(os.environ.get("FUZZ_SEED") or 0)
_LIMIT_S = 30
_MOST_SHOWN = 3000

_DEEP = "<deep>"
_DEPTH = 20_000
_TEXTS = (
    "", " ", "\0", "\n", "a\r\nb", "\x1b[2J\x1b]0;title\x07", "\x9b2J\u202e", "\ud800", "²", "٣", "1e999", "NaN", "-1", "x" * 70_000,
    "../../x", "/", "a=b", "(", "**x", "http://[", "http://a:b:c/", "é" * 70, "SIGNONE", "//", "$(port)", "{", _DEEP,
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 65_536, 2**31, 2**63, 10**30, 0.5, 1e300, float("nan"), float("inf"), float("-inf"), [], {},
    [[]], {"": ""}, ["x"], [1, "x"], {"x": 1}, {"x": {"x": []}},
)  # fmt: skip
_BYTES = (
    b"\0", b"\xff", b"\xff\xfe", b"\x1b[2J", b"\n", b"\r\n", b'"', b"\\", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"-", b"[", b"]",
    b"{", b"}", b",", b":", b"=", b"<", b">", b"&x;", b"[" * _DEPTH, b'{"a":' * _DEPTH, b"9" * 5000, "²".encode(), b"\xef\xbb\xbf",
)  # fmt: skip


class Mutations:
    """Mutations of one format.

    Args:
        name: The format's; with the seed it makes the change.
        original: What is whole.
        dump: Makes its text.
    """

    def __init__(self, name: str, original: Any, dump: Callable[[Any], str] | None = None) -> None:
        self._name = name
        self._original = original
        self._dump = dump or _json

    @property
    def whole(self) -> bytes:
        """The text of what is whole."""
        return self._text(self._original)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Give seeds and texts."""
        for seed in range(_FIRST, _FIRST + COUNT):
            yield seed, self.of(seed)

    def of(self, seed: int) -> bytes:
        """Return the text that a seed makes."""
        dice = random.Random(f"{self._name} {seed}")
        value = copy.deepcopy(self._original)
        is_structural = bool(_places(value)) and dice.random() < 0.75
        for _ in range(dice.choice((1, 1, 2, 3)) if is_structural else 0):
            value = _changed(value, dice)
        text = self._text(value)
        for _ in range(dice.choice((0, 0, 0, 1)) if is_structural else dice.choice((1, 1, 2, 6))):
            text = _damaged(text, dice)
        return text

    @contextmanager
    def tried(self, seed: int, text: bytes) -> Iterator[None]:
        """Say which seed it was if the block fails, or takes too long.

        Raises:
            AssertionError: It does.
        """
        before = signal.signal(signal.SIGALRM, _too_long)
        signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
        try:
            yield
        except Exception as error:
            shown = repr(text.replace(b"[" * _DEPTH, b"<deep>").replace(b"x" * 1000, b"<long>")[:_MOST_SHOWN])
            raise AssertionError(f"{self._name}, seed {seed}: {type(error).__name__}: {error}\n{shown}") from error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _text(self, value: Any) -> bytes:
        text = self._dump(value).replace(f'"{_DEEP}"', "[" * _DEPTH + "]" * _DEPTH)
        return text.encode("utf-8", "surrogatepass")


def check_words(error: Exception, *named: object) -> None:
    """Check what an error says: what it should name, at bounded length, and nothing that steers a terminal."""
    words = str(error)
    assert all(str(each) in words for each in named), words
    assert len(words) < 10_000
    assert steering(words) == []


def steering(text: str) -> list[str]:
    """Return the characters of a text that steer a terminal."""
    return [
        each
        for each in text
        if (each < " " and each not in "\n\t") or "\x7f" <= each <= "\x9f" or each in "\u202e\u2028"
    ]


def _json(value: Any) -> str:
    # Half of JSON's writers would say this.
    return json.dumps(value).replace("Infinity", "1e999")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return all places of a value: what holds it, and by which key."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys: Any = (
            holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        )
        for key in keys:
            found.append((holder, key))
            waiting.append(holder[key])
    return found


def _changed(value: Any, dice: random.Random) -> Any:
    places = _places(value)
    if not places or dice.random() < 0.02:
        return _any(dice)
    holder, key = dice.choice(places)
    way = dice.randrange(7)
    if way <= 2:
        holder[key] = _any(dice)
    elif way == 3:
        del holder[key]
    elif way == 4:
        other, other_key = dice.choice(places)
        if other_key in (other if isinstance(other, dict) else range(len(other))):
            holder[key] = copy.deepcopy(other[other_key])
    elif way == 5:
        holder[key] = dice.choice(([holder[key]], {"x": holder[key]}, [holder[key]] * 3, str(holder[key])))
    elif isinstance(holder, dict):
        holder[dice.choice((*_TEXTS[:-1], f"{key}x"))] = holder.pop(key) if dice.random() < 0.5 else _any(dice)
    else:
        holder.insert(dice.randint(0, len(holder)), _any(dice))
    return value


def _any(dice: random.Random) -> Any:
    return copy.deepcopy(dice.choice(dice.choice((_TEXTS, _OTHERS))))


def _damaged(text: bytes, dice: random.Random) -> bytes:
    start = dice.randint(0, len(text))
    end = min(len(text), start + dice.choice((0, 1, 1, 2, 8, 64, len(text))))
    way = dice.randrange(5)
    if way == 0:
        return text[:start] + dice.choice(_BYTES) + text[end:]
    if way == 1:
        return text[:start] + text[end:]
    if way == 2:
        return text[:end] + text[start:]
    if way == 3:
        return text[:start] + bytes(dice.randrange(256) for _ in text[start:end][:64]) + text[end:]
    return text[:start]


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"it takes more than {_LIMIT_S} s")
