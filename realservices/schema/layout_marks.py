"""Files of migration tools, known by their marks: what psql would misread without a word.

Such a file has a part, or a partner, that undoes what it does; or the tool applies the files in another order.
"""

from __future__ import annotations

import codecs
import itertools
import mmap
import os
import re

from realservices.contract.errors import TemplateError
from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES
from realservices.schema.script import APPLIED
from realservices.schema.sections import SECTIONS
from realservices.schema.undoing_comments import DOWN, divides
from realservices.schema.undoing_names import refuse_names, refuse_pairs
from realservices.schema.version_order import refuse_order
from realservices.schema.yoyo import refuse_dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.schema.script import Script

_ANY_TOOL = "a migration tool"
# The tool, and the line that proves it.
_CONTENTS = (
    ("goose", SECTIONS["goose"].down),
    ("dbmate", SECTIONS["dbmate"].down),
    ("sql-migrate", SECTIONS["sql-migrate"].down),
    ("node-pg-migrate", SECTIONS["node-pg-migrate"].down),
    ("tern", re.compile(rb"\s*-{2,}\s*create above\s*/\s*drop below", re.IGNORECASE)),
    ("rambler", re.compile(rb"\s*--\s*rambler\s+down")),
    ("Play", re.compile(rb"\s*(#|--)\s*(---\s*)?!Downs")),
    ("MyBatis", re.compile(rb"\s*--\s*//\s*@UNDO")),
    ("Liquibase", re.compile(rb"\s*--\s*(liquibase formatted sql|changeset\s+[^\s:]+:\S)", re.IGNORECASE)),
    ("Liquibase", re.compile(rb"\s*--rollback\s", re.IGNORECASE)),
    ("sqitch", re.compile(rb"-- Revert \S+ from \w+\s*$")),
    ("sqitch", re.compile(rb"-- Verify \S+ on \w+\s*$")),
    ("sqitch", re.compile(rb"-- Deploy \S+ to \w+\s*$")),
    ("aerich", re.compile(rb"--\s*downgrade\s*--")),
    ("micrate", re.compile(rb"--\s*\+micrate\s+down", re.IGNORECASE)),
    ("shmig", re.compile(rb"--\s*====\s*DOWN\s*====")),
    # https://atlasgo.io/versioned/down (archives with a part that undoes), https://atlasgo.io/versioned/checkpoint,
    # https://atlasgo.io/versioned/apply (statements may end otherwise)
    # https://atlasgo.io/atlas-schema/sql, "Import" (other files in place of a comment)
    ("Atlas", re.compile(rb"--\s*atlas:(txtar|checkpoint|delimiter|import)\b")),
    # https://github.com/graphile/migrate, "Including external files in the current migration"
    ("graphile-migrate", re.compile(rb"--\s*!\s*include\s+\S")),
    # https://pressly.github.io/goose/documentation/environment-variable-substitution/
    ("goose", re.compile(rb"--\s*\+goose\s+envsub\s+on", re.IGNORECASE)),
    (_ANY_TOOL, DOWN),
)
# Each of them has one of these words; most comments have none.
_WORDS = re.compile(
    rb"down|drop below|undo|liquibase|changeset|roll[- ]?back|rever|verify|deploy|backward|atlas:|include|envsub"
    rb"|unapply",
    re.IGNORECASE,
)
# All of them are comments, or have this word.
_NEEDLES = (b"--", b"/*", b"!Downs")
_EDGE_BYTES = 1 << 20
_SHORT_BYTES = 200
# Tools for which there is no layout.
_WITHOUT_LAYOUT = frozenset(
    {
        _ANY_TOOL,
        "aerich",
        "Atlas",
        "graphile-migrate",
        "Liquibase",
        "MyBatis",
        "micrate",
        "Play",
        "rambler",
        "shmig",
    }
)


def refuse_marks(files: Sequence[Script], *, key: str, own: str = "", has_layouts: bool = True) -> None:
    """Refuse files with the marks of a tool.

    Args:
        files: In the order in which they would be applied.
        key: The attribute that they stand in.
        own: The layout that was chosen, whose marks are right.
        has_layouts: Whether the service has an attribute ``layout``.

    Raises:
        TemplateError: A file has some.
    """
    if not own:
        refuse_names(files, lambda tool: _remedy(tool, key, has_layouts))
    for file in files:
        if file.kind != APPLIED:
            _refuse_contents(file, key, own, has_layouts)
    if not own:
        refuse_pairs(files)
        refuse_dependencies(files, lambda tool: _remedy(tool, key, has_layouts))
        refuse_order(files, key, lambda tool: _remedy(tool, key, has_layouts), has_layouts=has_layouts)


def _refuse_contents(file: Script, key: str, own: str, has_layouts: bool) -> None:
    if not os.path.getsize(file.path):
        return
    with open(file.path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for position in _positions(text):
            start, end = text.rfind(b"\n", 0, position) + 1, _end_of_comment(text, position)
            found = text[start:end] if start else text[:end].removeprefix(codecs.BOM_UTF8)
            tool = _tool_of(found, own)
            if tool and (tool != _ANY_TOOL or divides(text, start, end)):
                shown = found.decode("utf-8", "replace").strip()
                raise TemplateError(
                    f"{file.shown}, line {_line_of(text, position)}: {shown!r} is a mark of {tool}'s, and the whole "
                    f"file would be run: {_remedy(tool, key, has_layouts)}"
                )


def _end_of_comment(text: mmap.mmap, position: int) -> int:
    """Return where the line ends, or a short comment of several lines that begins there."""
    closed = text.find(b"*/", position, position + _SHORT_BYTES) if text[position : position + 2] == b"/*" else -1
    end = text.find(b"\n", max(position, closed))
    return end if end >= 0 else len(text)


def _tool_of(line: bytes, own: str) -> str:
    """Return whose mark a line is; empty: nobody's, or one of the layout that was chosen."""
    if not _WORDS.search(line):
        return ""
    line = line.lstrip()
    found = next((tool for tool, mark in _CONTENTS if mark.match(line)), "")
    return "" if found == own or (own and found == _ANY_TOOL) else found


def _positions(text: mmap.mmap) -> Iterator[int]:
    """Yield where a mark may stand; in a large file, of data, only near its beginning and its end."""
    is_large = len(text) > LARGEST_SCANNED_BYTES
    ranges = ((0, _EDGE_BYTES), (len(text) - _EDGE_BYTES, len(text))) if is_large else ((0, len(text)),)
    for needle, (start, end) in itertools.product(_NEEDLES, ranges):
        position = text.find(needle, start, end)
        while position >= 0:
            yield position
            next_line = text.find(b"\n", position, end)
            position = text.find(needle, next_line, end) if next_line >= 0 else -1


def _line_of(text: mmap.mmap, position: int) -> int:
    return 1 + sum(text[start : min(start + (1 << 20), position)].count(b"\n") for start in range(0, position, 1 << 20))


def _remedy(tool: str, key: str, has_layouts: bool) -> str:
    if not has_layouts:
        remedy = "or run the tool itself (attribute and key migrate)"
        return f"name files in {key} that hold only what is to be applied, {remedy}"
    if key != "migrations":
        return f"{key} are applied as they are: name files there that hold only what is to be applied"
    plain = 'layout = "plain" applies all files whole, in the order of migrations'
    if tool in _WITHOUT_LAYOUT:
        return f"run the tool itself (attribute and key migrate); {plain}"
    return (
        f'write layout = "{tool}" beside migrations (in a BUILD file `layout = "{tool}",`; in pyproject.toml a line '
        f'`layout = "{tool}"`); {plain}'
    )
