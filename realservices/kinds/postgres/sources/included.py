r"""What psql includes while it runs a project's files: they are a part of what a schema is made from.

Their names stand in psql's own commands (\i, \ir, \copy, \lo_import). A name that only psql can complete, by a variable
or a program, cannot be followed: then the project says what is read.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES, pieces
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.declarations import Declaration

_INCLUDE = re.compile(r"\\(i|ir|include|include_relative|lo_import)\s+('(?:[^']|'')*'|\"[^\"]*\"|\S+)")
_COPY = re.compile(
    r"\\copy\s+(?!\()(?:\"[^\"]*\"|[^\s(\"])+\s*(?:\([^)]*\))?\s*from\s+(program\s+)?('(?:[^']|'')*'|\S+)",
    re.IGNORECASE,
)
_INCLUDES_SCRIPT = re.compile(r"\\(i|ir|include|include_relative)\s")
_RUNS_PROGRAM = re.compile(r"\\!|\\(set|setenv|i|ir|include|include_relative|if|elif)\b.*`")
_VARIABLE = re.compile(r":['\"{]?[A-Za-z_]")
_LONGEST_COMMAND = 4096
_STANDARD_INPUT = ("stdin", "pstdin")


class Included:
    """What psql reads besides a declaration's files. Each file is looked through once.

    Args:
        declaration: Its key ``inputs`` names files that only psql finds.
    """

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._read: dict[Path, dict[Path, bool]] = {}

    def files(self, file: Path) -> list[Path]:
        """Return the files that psql reads besides ``file``, and those by these, in the order in which they are met.

        Raises:
            SettingError: What is read cannot be told, and the declaration has no ``inputs``.
        """
        return [path for path in self._of(file) if path.is_file()]

    def scripts(self, file: Path) -> list[Path]:
        """Return those of them that psql runs.

        Raises:
            SettingError: As `files`.
        """
        return [path for path, is_script in self._of(file).items() if is_script]

    def _of(self, file: Path) -> dict[Path, bool]:
        if file not in self._read:
            self._read[file] = self._looked_through(file)
        return self._read[file]

    def _looked_through(self, file: Path) -> dict[Path, bool]:
        """Return what is read, each with whether it is run."""
        found: dict[Path, bool] = {}
        waiting = [file]
        while waiting:
            path = waiting.pop(0)
            for line, command in _commands(path):
                read = _read_by(command, path, self._declaration.root)
                if read is None and "inputs" not in self._declaration.values:
                    raise SettingError(
                        f"{self._declaration.where}: {path}, line {line}: what {command!r} reads is known only when "
                        "psql runs it, and a change there would go unnoticed: list such files in inputs, "
                        'inputs = ["db/data/*.csv"] for instance'
                    )
                if read and read not in found:
                    found[read] = bool(_INCLUDES_SCRIPT.match(command))
                    if found[read]:
                        waiting.append(read)
        return found


def _commands(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file() or not path.stat().st_size:
        return  # psql says what is missing.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if text.find(b"\\") < 0:
            return
        if len(text) > LARGEST_SCANNED_BYTES:
            yield from _line_commands(text)
            return
        for piece in pieces(text):
            if piece.command:
                yield piece.line, piece.command


def _line_commands(text: mmap.mmap) -> Iterator[tuple[int, str]]:
    """Yield the commands that begin a line, as they do in files of that size, which hold data."""
    position = -1
    while (position := text.find(b"\n\\", position + 1)) >= 0:
        end = text.find(b"\n", position + 1)
        line = text[position + 1 : min(end if end >= 0 else len(text), position + _LONGEST_COMMAND)]
        command = line.decode("utf-8", "replace").rstrip()
        if _INCLUDE.match(command) or _COPY.match(command) or _RUNS_PROGRAM.match(command):
            yield 0, command


def _read_by(command: str, path: Path, root: Path) -> Path | Literal[False] | None:
    """Return what a command reads, None if that cannot be told, and False if it reads nothing."""
    if _RUNS_PROGRAM.match(command):
        return None
    include, copy = _INCLUDE.match(command), _COPY.match(command)
    if copy:
        program, name = copy.groups()
        if program:
            return None
        if name.lower() in _STANDARD_INPUT:
            return False
    elif include:
        name = include[2]
    else:
        return False
    if not name.startswith("'") and _VARIABLE.search(name):
        return None
    bare = name[1:-1].replace("''", "'") if name[:1] in ("'", '"') else name
    relative = include is not None and include[1] in ("ir", "include_relative")
    return (path.parent if relative else root) / bare
