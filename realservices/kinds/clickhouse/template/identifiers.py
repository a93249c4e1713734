"""The identifiers that ClickHouse draws for databases and tables, and when it changed them: the same in each template.

Directories, links, definitions and the names of tables within materialized views have them. The server of a test only
asks that they differ from each other. So each becomes one that its name determines, after the server has ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_NAMESPACE = uuid.UUID("5d5e9b4e-6f0c-5f6b-9c43-4a2f0f0c9a17")
_DEFINED = re.compile(r"(?:ATTACH|CREATE) [A-Z ]+ _ UUID '([0-9a-f-]{36})'")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:(?:-|%2D)[0-9a-f]{4}){3}(?:-|%2D)[0-9a-f]{12}")
_ESCAPED_DASH = "%2D"  # In the names of files.
_PREFIX_LENGTH = 3
_SQL = ".sql"
_MUTATION = re.compile(r"mutation_\d+\.txt")
_CHANGED = re.compile(r"^create time: .*$", re.MULTILINE)
_TIME = "create time: 2000-01-01 00:00:00"


class Identifiers:
    """The new identifiers of a data directory whose server has ended.

    Args:
        data: The data directory.
        kept: A text with the identifiers that stay as they are: those that somebody has chosen.

    Raises:
        OSError: A file cannot be read.
    """

    def __init__(self, data: str, kept: str) -> None:
        self._data = data
        self._new: dict[str, str] = {}
        found = dict(_defined(f"{data}/metadata"))
        # Tables within views are named after those.
        for name in sorted(found, key=lambda name: (bool(_IDENTIFIER.search(name)), name)):
            if found[name] not in kept:
                self._new[found[name]] = str(uuid.uuid5(_NAMESPACE, self.in_text(name)))

    def in_text(self, text: str) -> str:
        """Return a text with the new ones in place of the old."""
        return _IDENTIFIER.sub(self._replacement, text)

    def in_rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of a database's state (`state_query`) with the new ones, in a fixed order."""
        new = [{key: self.in_text(value) if key != "rows" else value for key, value in row.items()} for row in rows]
        return sorted(new, key=lambda row: (row["kind"] != "table", row["name"], row["sql"]))

    def apply(self) -> None:
        """Rename and rewrite what has them.

        Raises:
            OSError: A file cannot be read, written or renamed.
        """
        for directory in self._stored():
            self._rewrite(directory)
            self._move(directory)
        for entry in _entries(f"{self._data}/store"):
            with contextlib.suppress(OSError):
                os.rmdir(entry.path)  # What it held has been moved, or dropped.
        for part in ("metadata", "data"):
            self._rewrite(f"{self._data}/{part}")
        for entry in _entries(f"{self._data}/data"):
            self._rewrite(entry.path)

    def _replacement(self, match: re.Match[str]) -> str:
        found = match[0]
        new = self._new.get(found.replace(_ESCAPED_DASH, "-"), "")
        if not new:
            return found
        return new.replace("-", _ESCAPED_DASH) if _ESCAPED_DASH in found else new

    def _stored(self) -> list[str]:
        return [inner.path for outer in _entries(f"{self._data}/store") for inner in _entries(outer.path)]

    def _move(self, directory: str) -> None:
        """Move what belongs to one database or table to where its new identifier says."""
        name = self.in_text(os.path.basename(directory))
        parent = f"{self._data}/store/{name[:_PREFIX_LENGTH]}"
        os.makedirs(parent, exist_ok=True)
        os.rename(directory, f"{parent}/{name}")

    def _rewrite(self, directory: str) -> None:
        """Rewrite definitions, links and lists of changes in a directory."""
        for entry in _entries(directory):
            path = f"{directory}/{self.in_text(entry.name)}"
            if entry.is_symlink():
                target = self._moved(os.readlink(entry.path))
                os.unlink(entry.path)
                os.symlink(target, path)
            elif entry.name.endswith(_SQL):
                _edit(entry.path, self.in_text)
                os.rename(entry.path, path)
            elif _MUTATION.fullmatch(entry.name):
                _edit(entry.path, lambda text: _CHANGED.sub(_TIME, text))

    def _moved(self, target: str) -> str:
        """Return a link's target in the store, or as it is."""
        parent, _, name = target.rpartition("/")
        new = self.in_text(name)
        return f"{parent[:-_PREFIX_LENGTH]}{new[:_PREFIX_LENGTH]}/{new}" if new != name else target


def _defined(metadata: str) -> Iterator[tuple[str, str]]:
    """Yield the names of databases and tables, as their files have them, with their identifiers."""
    for entry in _entries(metadata):
        if not entry.name.endswith(_SQL):
            continue
        database = entry.name.removesuffix(_SQL)
        yield from _identifier_in(entry.path, database)
        for table in _entries(f"{metadata}/{database}"):
            if table.name.endswith(_SQL):
                yield from _identifier_in(table.path, f"{database}/{table.name.removesuffix(_SQL)}")


def _identifier_in(path: str, name: str) -> Iterator[tuple[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        match = _DEFINED.match(file.readline())
    if match:
        yield name, match[1]


def _edit(path: str, change: Callable[[str], str]) -> None:
    with open(path, "r+", encoding="utf-8", errors="surrogateescape", newline="") as file:
        before = file.read()
        after = change(before)
        if after != before:
            file.seek(0)
            file.write(after)
            file.truncate()


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
