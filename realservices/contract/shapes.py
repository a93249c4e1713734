"""What foreign data must look like, written as data: one check for every reader of JSON and TOML.

A shape is one of

- a type: ``str`` (without NUL, which no path, variable or argument can hold), ``bool``, ``int``, ``float`` (finite; a
  whole number, too), ``dict``, ``list``, ``object`` (anything);
- ``None``; a ``range``: a whole number in it; a ``frozenset``: one of its texts; a `Rule`;
- ``[shape]``: a list; ``{str: shape}``: a table whose keys are not known, with a `Rule` in place of ``str`` for those;
- ``{"key": shape, "other?": shape}``: a table in which ``other`` may be missing. Keys that it does not name are left
  alone, because another release may say more; in `Only` they are refused;
- ``(shape, shape)``: one of them; `Every`: all of them.

The launcher imports this before every test, so it keeps to what the interpreter has already loaded.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MOST_DIGITS = 18
# Beyond it, arithmetic with floating-point numbers overflows.
_LARGEST = 1e300
_MOST_SHOWN = 200
_WORDS: dict[Any, str] = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", dict: "a table", list: "a list",
    object: "a value", None: "null",
}  # fmt: skip
_MANY = {
    "a value": "values",
    "a text": "texts",
    "a whole number": "whole numbers",
    "a number": "numbers",
    "a table": "tables",
}


class ShapeError(ValueError):
    """Data that does not have the shape that it should.

    Attributes:
        key: Where, such as ``services[0].needs``; "" for the whole.
        value: What is there, as text of bounded length; "" if nothing is.
        expected: What should be there, in words.
    """

    def __init__(self, key: str, value: str, expected: str) -> None:
        # Keys are foreign, too, and so are names that are listed as expected.
        key, expected = _plain(key), _plain(expected)
        self.key, self.value, self.expected = key, value, expected
        # JSON's word for it.
        words = expected.replace("a table", "an object").replace("tables", "objects")
        super().__init__(f"{key or 'it'} is {value}, not {words}" if value else f"{key} is missing: {words}")


class UnknownKeyError(ShapeError):
    """A key that the shape does not name; ``expected`` lists those that it does."""

    def __init__(self, key: str, name: str, known: str) -> None:
        super().__init__(key, shown(name), known)
        self.args = (f"{self.key or 'it'}: unknown key {self.value}; there are {known}",)


class Rule:
    """A shape of its own.

    Args:
        words: What it asks for: ``a number above 0``.
        accepts: Returns whether a value, whatever its type, is that.
    """

    __slots__ = ("accepts", "words")

    def __init__(self, words: str, accepts: Callable[[Any], bool]) -> None:
        self.words, self.accepts = words, accepts


class Every(list):  # type: ignore[type-arg]
    """Shapes that a value must have all, the most telling one first."""


class Only(dict):  # type: ignore[type-arg]
    """A table in which no other keys may be."""


def is_text(value: Any) -> bool:
    """Return whether a value is a text that can be encoded and has no NUL in it."""
    if not isinstance(value, str) or "\0" in value:
        return False
    # JSON can hold halves of surrogate pairs, TOML cannot.
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


POSITIVE = Rule("a number above 0", lambda value: is_number(value) and value > 0)
NOT_NEGATIVE = Rule("a number from 0 on", lambda value: is_number(value) and value >= 0)
NAME = Rule("a text that is not empty", lambda value: is_text(value) and value != "")
VARIABLE = Rule("a name of a variable", lambda value: is_text(value) and value != "" and "=" not in value)
LOG_TEXT = Rule("a text", lambda value: isinstance(value, str))
"""What a service has written: anything."""
PORT, PORT_OR_NONE = range(1, 65536), range(65536)
"""The second one also 0: it listens nowhere."""


def load_json(text: str | bytes) -> Any:
    """Return what JSON text says; NaN, which JavaScript has and JSON has not, is refused.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or is not UTF-8.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None


def check(value: Any, shape: Any, key: str = "") -> None:
    """Check that data has a shape.

    Args:
        value: The data.
        shape: See above.
        key: Where it is, for the message.

    Raises:
        ShapeError: It has not. The first fault is told.
    """
    if isinstance(shape, dict):
        _check_table(value, shape, key)
    elif isinstance(shape, Every):
        for each in shape:
            check(value, each, key)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise _fault(value, shape, key)
        for index, each in enumerate(value):
            check(each, shape[0], f"{key}[{index}]")
    elif isinstance(shape, tuple):
        _check_choice(value, shape, key)
    elif not _accepts(value, shape):
        raise _fault(value, shape, key)


def describe(shape: Any) -> str:
    """Return in words what a shape asks for."""
    if isinstance(shape, Rule):
        return shape.words
    if isinstance(shape, range):
        return f"a whole number from {shape[0]} to {shape[-1]}"
    if isinstance(shape, frozenset):
        return f"one of {', '.join(sorted(shape))}"
    if isinstance(shape, Every):
        return describe(shape[0])
    if isinstance(shape, list):
        words = describe(shape[0])
        return f"a list of {_MANY[words]}" if words in _MANY else f"a list, each {words}"
    if isinstance(shape, tuple):
        return " or ".join(dict.fromkeys(map(describe, shape)))
    return "a table" if isinstance(shape, dict) else _WORDS[shape]


def shown(value: Any) -> str:
    """Return a value as a message shows it: of bounded length and depth, control characters escaped."""
    import reprlib  # noqa: PLC0415 - on failure only

    if isinstance(value, int) and value.bit_length() > 4 * _MOST_SHOWN:
        return "a number of too many digits"  # Python refuses to show some such, in words that depend on its version.
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = _MOST_SHOWN
    brief.maxlist = brief.maxdict = 12
    try:
        return brief.repr(value).encode("utf-8", "backslashreplace").decode()[: 4 * _MOST_SHOWN]
    except ValueError:
        return "something with a number of too many digits"


def whole_number(text: str) -> int | None:
    """Return the whole number from 0 on that a text is, in ASCII digits; None if it is none.

    ``str.isdigit`` accepts ``²``, of which ``int`` makes nothing, and both accept other scripts' digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _plain(text: str) -> str:
    text = text if len(text) <= 4 * _MOST_SHOWN else f"{text[: 4 * _MOST_SHOWN]}…"
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _accepts(value: Any, shape: Any) -> bool:
    if isinstance(shape, Rule):
        return shape.accepts(value)
    if shape is str:
        return is_text(value)
    if shape is float:
        return is_number(value)
    if isinstance(shape, range):
        return type(value) is int and value in shape
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    if shape is int:
        return type(value) is int and abs(value) < 10**_MOST_DIGITS
    return value is None if shape is None else isinstance(value, shape)


def _check_table(value: Any, shape: dict[Any, Any], key: str) -> None:
    if not isinstance(value, dict):
        raise _fault(value, shape, key)
    dot = f"{key}." if key else ""
    rule = next(iter(shape), "")
    if not isinstance(rule, str):
        for name, each in value.items():
            if not _accepts(name, rule):
                raise ShapeError(f"{key or 'it'}: the key", shown(name), describe(rule))
            check(each, shape[rule], f"{dot}{name}")
        return
    for name, each in shape.items():
        if (plain := name.removesuffix("?")) in value:
            check(value[plain], each, dot + plain)
        elif plain == name:
            raise ShapeError(dot + plain, "", describe(each))
    if isinstance(shape, Only):
        known = [name.removesuffix("?") for name in shape]
        for name in value:
            if name not in known:
                raise UnknownKeyError(key, name, ", ".join(known))


def _check_choice(value: Any, shapes: tuple[Any, ...], key: str) -> None:
    deepest = None
    for shape in shapes:
        try:
            check(value, shape, key)
        except ShapeError as error:
            # What lies within it says more than that it is none of these.
            deepest = error if error.key != key and not deepest else deepest
        else:
            return
    raise deepest or _fault(value, shapes, key)


def _fault(value: Any, shape: Any, key: str) -> ShapeError:
    words = describe(shape)
    if isinstance(value, str) and words == "a text":
        words = "a text without NUL characters and halves of surrogate pairs"
    return ShapeError(key, shown(value), words)
