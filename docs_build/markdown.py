"""Pieces of Markdown that the generated pages are made of."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MADE = "<!-- Made by `tools/docs reference`. Change what it is made from. -->"
_PAGE = re.compile(r"\bdocs/([\w/]+\.md)")
_DOUBLE = re.compile(r"``([^`\n]+)``")


def linked(text: str) -> str:
    """Return a docstring as a page below docs/reference shows it: paths of other pages are links."""
    return _PAGE.sub(r"[\1](../\1)", _DOUBLE.sub(r"`\1`", text))


def item(owner: str, name: str, text: str, note: str = "") -> str:
    """Return an item of a list, which can be linked to.

    Args:
        owner: What the name belongs to; the anchor is ``owner-name``.
        name: What is described.
        text: The description.
        note: Its type, its default and the like.
    """
    anchor = f'<a id="{owner}-{name.lstrip("*")}"></a>'
    body = textwrap.indent(linked(text).strip(), "  ").strip()
    return f"- {anchor}`{name}`{f' ({note})' if note else ''}: {body}".rstrip(": ")


def names(of: Iterable[str]) -> str:
    """Return links to headings of the page, in a line."""
    return ", ".join(f"[`{name}`](#{anchor(name)})" for name in of)


def anchor(heading: str) -> str:
    """Return what a link to a heading ends with, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
