"""Docstrings as Markdown: those of Google's style (https://google.github.io/styleguide/pyguide.html)."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from docs_build.markdown import linked

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:(?:[ ].*)?\n?)*)", re.M)
_ENTRY = re.compile(r"^    (?=\S)", re.M)


def as_markdown(doc: str | None, *, without: str = "") -> str:
    """Return a docstring with lists in place of its sections.

    Args:
        doc: The docstring.
        without: The title of a section to leave out.
    """
    text = inspect.cleandoc(doc or "").strip() + "\n"
    parts = [linked(_SECTION.sub("", text)).strip()]
    parts += [_shown(title, body) for title, body in _SECTION.findall(text) if title != without]
    return "\n\n".join(filter(None, parts))


def _shown(title: str, body: str) -> str:
    if title in ("Returns", "Yields"):
        return f"{title}: {linked(_joined(body))}"
    return "\n".join([f"{title}:".replace("Args", "Arguments"), "", *_entries(body)])


def _entries(body: str) -> Iterator[str]:
    for entry in _ENTRY.split(body)[1:]:
        names, _, text = _joined(entry).partition(": ")
        shown = ", ".join(f"`{name.strip()}`" for name in names.split(","))
        yield f"- {shown}: {linked(text)}"


def _joined(text: str) -> str:
    return " ".join(text.split())
