"""Extensions that a schema wants and this machine's PostgreSQL has not, as far as files of SQL name them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.schema.missing_extension import take_another

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.sources.declarations import Declaration

_CREATE = re.compile(
    rb"""^[^-\n]*?\bCREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([\w-]+)""", re.IGNORECASE | re.MULTILINE
)
# Larger files hold data.
_LARGEST_BYTES = 16 << 20
# From the distribution's directory, and where Debian has its own.
_CONTROLS = ("share/extension", "share/postgresql/extension", "../../../share/postgresql/{version}/extension")


def lacking_extensions(declaration: Declaration, distribution: Path) -> Iterator[str]:
    """Yield what to do about each extension that is not there; nothing where extensions cannot be seen."""
    places = [distribution / place.format(version=distribution.name) for place in _CONTROLS]
    there = {path.stem for place in places if place.is_dir() for path in place.glob("*.control")}
    for name, where in _wanted(declaration) if there else ():
        if name not in there:
            yield f"{where} wants an extension that is not there.\n{take_another(name)}"


def _wanted(declaration: Declaration) -> Iterator[tuple[str, str]]:
    found = dict.fromkeys(declaration.values.get("extensions", ()), f"{declaration.where}: extensions")
    for key in ("migrations", "seeds"):
        for shown, path in declaration.named_files(key):
            with open(path, "rb") as file:
                for match in _CREATE.finditer(file.read(_LARGEST_BYTES)):
                    found.setdefault(match[1].decode(), f"{declaration.where}: {shown}")
    yield from found.items()
