"""Files of migration tools, known by their marks: what psql would misread without a word.

Such a file has a part, or a partner, that undoes what it does; or the tool applies the files in another order.
"""

from __future__ import annotations

import mmap
import os
import re

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import order_flyway
from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES
from realservices.schema.script import APPLIED
from realservices.schema.sections import SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.schema.script import Script

# What is looked for first, the tool, and the line that proves it.
_CONTENTS = (
    (b"+goose", "goose", SECTIONS["goose"].down),
    (b"migrate:down", "dbmate", SECTIONS["dbmate"].down),
    (b"+migrate", "sql-migrate", SECTIONS["sql-migrate"].down),
    (b"igration", "node-pg-migrate", SECTIONS["node-pg-migrate"].down),
    (b"drop below", "tern", SECTIONS["tern"].down),
    (b"rambler", "rambler", re.compile(rb"\s*--\s*rambler\s+down")),
    (b"!Downs", "Play's evolutions", re.compile(rb"\s*(#|--)\s*(---\s*)?!Downs")),
    (b"@UNDO", "MyBatis Migrations", re.compile(rb"\s*--\s*//\s*@UNDO")),
    (b"liquibase formatted", "Liquibase", re.compile(rb"\s*--\s*liquibase formatted sql")),
    (b"--rollback", "Liquibase", re.compile(rb"\s*--rollback\s")),
    (b"-- Revert ", "sqitch", re.compile(rb"-- Revert \S+ from \w+\s*$")),
    (b"-- Verify ", "sqitch", re.compile(rb"-- Verify \S+ on \w+\s*$")),
    (b"-- Deploy ", "sqitch", re.compile(rb"-- Deploy \S+ to \w+\s*$")),
)
_NAMES = (
    ("golang-migrate", re.compile(r"\d+_.*\.down\.sql")),
    ("diesel", re.compile(r"down\.sql")),
    ("db-migrate", re.compile(r"\d+.*-down\.sql")),
    ("postgrator", re.compile(r"\d+\.undo\b.*\.sql")),
    ("yoyo", re.compile(r".*\.rollback\.sql")),
    ("flyway", re.compile(r"U\d[\d._]*__.*\.sql")),
)
_FLYWAY = re.compile(r"([VBU]\d[\d._]*|R)__.*\.sql")
_NUMBER = re.compile(r"[A-Za-z_]?0*(\d+)")
_EDGE_BYTES = 1 << 20
# Tools whose files another layout would not be enough for.
_WITHOUT_LAYOUT = frozenset({"Liquibase", "MyBatis Migrations", "Play's evolutions", "rambler"})


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
    for file in files:
        for tool, pattern in _NAMES:
            if not own and pattern.fullmatch(file.name):
                what = f"{file.shown} has the name of a file that undoes a migration, as {tool} calls them"
                raise TemplateError(f"{what}, and would be run, too: {_remedy(tool, key, has_layouts)}")
        if file.kind != APPLIED:
            _refuse_contents(file, key, own, has_layouts)
    if not own:
        _refuse_order(files, key, has_layouts)


def _refuse_contents(file: Script, key: str, own: str, has_layouts: bool) -> None:
    if not os.path.getsize(file.path):
        return
    with open(file.path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for needle, tool, line in _CONTENTS:
            for position in _positions(text, needle) if tool != own else ():
                start, end = text.rfind(b"\n", 0, position) + 1, text.find(b"\n", position)
                found = text[start : end if end >= 0 else len(text)]
                if line.match(found):
                    number = _line_of(text, position)
                    shown = found.decode("utf-8", "replace").strip()
                    raise TemplateError(
                        f"{file.shown}, line {number}: {shown!r} is a mark of {tool}'s, and the whole file would "
                        f"be run: {_remedy(tool, key, has_layouts)}"
                    )


def _positions(text: mmap.mmap, needle: bytes) -> Iterator[int]:
    """Yield where a text stands; in a large file, of data, only near its beginning and its end."""
    is_large = len(text) > LARGEST_SCANNED_BYTES
    for start, end in ((0, _EDGE_BYTES), (len(text) - _EDGE_BYTES, len(text))) if is_large else ((0, len(text)),):
        position = text.find(needle, start, end)
        while position >= 0:
            yield position
            position = text.find(needle, position + 1, end)


def _line_of(text: mmap.mmap, position: int) -> int:
    return 1 + sum(text[start : min(start + (1 << 20), position)].count(b"\n") for start in range(0, position, 1 << 20))


def _refuse_order(files: Sequence[Script], key: str, has_layouts: bool) -> None:
    if len(files) > 1 and all(_FLYWAY.fullmatch(file.name) for file in files):
        ordered, tool = order_flyway([*files]), "flyway"
    else:
        found = [(_NUMBER.match(file.name), file) for file in files]
        # Files that a BUILD file lists in an order of its own are meant so.
        if not all(match for match, _ in found) or [*files] != sorted(files, key=lambda file: file.shown):
            return
        if len({file.shown.rpartition("/")[0] for file in files}) > 1:
            return
        ordered = [file for _, file in sorted(found, key=lambda item: int(item[0][1]) if item[0] else 0)]
        tool = "numbered"
    different = next(((file, other) for file, other in zip(files, ordered, strict=False) if file is not other), None)
    if different:
        file, other = different
        raise TemplateError(
            f"{file.shown} would be applied before {other.shown}, although its number comes after: alphabetical order "
            f"is not the order of numbers: {_remedy(tool, key, has_layouts)}"
        )


def _remedy(tool: str, key: str, has_layouts: bool) -> str:
    if not has_layouts:
        return f"name files in {key} that hold only what is to be applied"
    if key != "migrations":
        return f"{key} are applied as they are: name files there that hold only what is to be applied"
    plain = 'layout = "plain" applies all files whole, in the order of migrations'
    if tool in _WITHOUT_LAYOUT:
        return f"run the tool itself (attribute and key migrate); {plain}"
    return (
        f'write layout = "{tool}" beside migrations (in a BUILD file `layout = "{tool}",`; in pyproject.toml a line '
        f'`layout = "{tool}"`); {plain}'
    )
