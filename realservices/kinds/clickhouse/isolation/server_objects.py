"""What lies in a ClickHouse server outside of the tests' databases, read from the files in which the engine keeps it.

Asking the engine for its functions takes 15 ms, listing the files 0.05 ms. Their names and places:
https://github.com/ClickHouse/ClickHouse, UserDefinedSQLObjectsDiskStorage, NamedCollectionsMetadataStorage,
WorkloadEntityDiskStorage, DatabaseOnDisk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from realservices.kinds.clickhouse.sql import quote_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SUFFIX = ".sql"
# Kind, directory, and what its files' names begin with, in the order in which they can be dropped.
_PLACES = (
    ("TABLE", "metadata/default", ""),
    ("DATABASE", "metadata", ""),
    ("FUNCTION", "user_defined", "function_"),
    ("NAMED COLLECTION", "named_collections", ""),
    ("WORKLOAD", "workload", "workload_"),
    ("RESOURCE", "workload", "resource_"),
)
# Their files hold the statement that makes them.
_STATED = ("FUNCTION", "NAMED COLLECTION", "WORKLOAD", "RESOURCE")
# Of statements that read and write files by name.
_USER_FILES = "user_files"
# Of ALTER TABLE … FREEZE: a directory for each name, and a number.
_FROZEN, _NOT_FROZEN = "shadow", "increment.txt"
# Of all processes of the session, which make and drop them at any time.
_TESTS_OWN = "realservices_"


class ServerObject(NamedTuple):
    """Something that a server has once.

    Attributes:
        kind: As in SQL: ``FUNCTION``, ``NAMED COLLECTION``, ``DATABASE``, …; or ``FILE``, or ``FROZEN`` parts.
        name: Its name; of a table, view or dictionary that in the database `default`; of a file and of parts the path.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self._quoted}"

    @property
    def key(self) -> str:
        """Both as one text, which `of_key` reads."""
        return f"{self.kind}: {self.name}"

    @classmethod
    def of_key(cls, key: str) -> ServerObject:
        """Return the object that a key names."""
        kind, _, name = key.partition(": ")
        return cls(kind, name)

    @property
    def drop_statements(self) -> Sequence[str]:
        """What drops it, if it is there. What was detached keeps its name, and can be dropped only when it is back."""
        if self.kind in _STATED:
            return (f"DROP {self.kind} IF EXISTS {self._quoted}",)
        return f"ATTACH {self.kind} IF NOT EXISTS {self._quoted}", f"DROP {self.kind} IF EXISTS {self._quoted} SYNC"

    @property
    def _quoted(self) -> str:
        return f"{'default.' if self.kind in ('TABLE', 'DICTIONARY') else ''}{quote_name(self.name)}"


def server_objects(data: str) -> Mapping[ServerObject, str]:
    """Return what there is, with the statement that makes it; "" for databases, files and what is in `default`.

    Args:
        data: The server's data directory.
    """
    found: dict[ServerObject, str] = {}
    for kind, directory, prefix in _PLACES:
        for name, path in _files(f"{data}/{directory}", prefix):
            if kind in _STATED:
                found[ServerObject(kind, name)] = _text(path)
            elif kind == "TABLE":
                is_dictionary = _text(path).startswith(("ATTACH DICTIONARY", "CREATE DICTIONARY"))
                found[ServerObject("DICTIONARY" if is_dictionary else kind, name)] = ""
            elif not name.startswith(_TESTS_OWN):
                found[ServerObject(kind, name)] = ""
    for directory, _, names in os.walk(f"{data}/{_USER_FILES}"):
        found |= {ServerObject("FILE", f"{directory}/{name}"): "" for name in names}
    frozen = _names(f"{data}/{_FROZEN}")
    return found | {ServerObject("FROZEN", f"{data}/{_FROZEN}/{name}"): "" for name in frozen if name != _NOT_FROZEN}


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []  # The engine makes it with the first one.


def _files(directory: str, prefix: str) -> Iterator[tuple[str, str]]:
    for file in _names(directory):
        if file.startswith(prefix) and file.endswith(_SUFFIX):
            yield unquote(file.removeprefix(prefix).removesuffix(_SUFFIX)), f"{directory}/{file}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "surrogateescape")
    except OSError:
        return ""  # Dropped just now.
