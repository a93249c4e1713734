r"""Makes foreign text safe to print: names, values, messages and logs may contain control characters.

A terminal obeys them: they move its cursor over what stands there, change its title, write to its clipboard
 (ECMA-48; https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). So they are shown as Python writes
them, `\x1b` for instance, along with what turns the direction of text around (Unicode Technical Report 36) and what
cannot be encoded. Colours of a log are harmless and wanted.
"""

from __future__ import annotations

_INTRODUCER = "\x1b["
_RESET = "\x1b[0m"
_PARAMETERS = frozenset("0123456789;:")
_BLANKS = "\n\t"


def as_text(text: object) -> str:
    """Return a name or a value as one line in which nothing steers a terminal.

    Args:
        text: Anything; its text counts.
    """
    return _escaped(str(text), "")


def as_output(text: str) -> str:
    """Return a message or lines of a log: as `as_text`, but lines, tabs and colours (SGR) stay what they are.

    Args:
        text: The message; what is coloured to its end is not coloured beyond it.
    """
    if text.isprintable():
        return text
    first, *others = text.split(_INTRODUCER)
    shown = [_escaped(first, _BLANKS)]
    is_coloured = False
    for part in others:
        length = next((i for i, character in enumerate(part) if character not in _PARAMETERS), len(part))
        if part[length : length + 1] == "m":
            is_coloured = bool(part[:length].strip("0;"))
            shown += [_INTRODUCER, part[: length + 1], _escaped(part[length + 1 :], _BLANKS)]
        else:
            shown += [_escaped(_INTRODUCER, ""), _escaped(part, _BLANKS)]
    return "".join([*shown, _RESET if is_coloured else ""])


def as_json_text(text: str) -> str:
    """Return JSON text that says the same, in which nothing steers a terminal."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(each):04x}" if each != "\n" and _steers(each) else each for each in text)


def _escaped(text: str, kept: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if each not in kept and _steers(each) else each for each in text
    )


def _steers(character: str) -> bool:
    """Return whether a character is a control, turns direction, separates lines or is half of a surrogate pair."""
    return (
        character < " "
        or "\x7f" <= character <= "\x9f"
        or character in "\u061c\u200e\u200f\u2028\u2029"
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u2069"
        or "\ud800" <= character <= "\udfff"
    )
