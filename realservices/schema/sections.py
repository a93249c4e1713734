"""Tools whose files hold two parts, one to be applied and one that undoes it, divided by comments.

Every line that is not to be run becomes an empty one, so that the others keep their numbers. Lines count, not
statements: so do they for the tools.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from realservices.contract.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.script import Script


def _line(pattern: str) -> re.Pattern[bytes]:
    return re.compile(rf"{pattern}\s*$".encode(), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Marks:
    """A tool's comments.

    Attributes:
        up, down: What begins the parts.
        alone: What says that the file is run without a transaction.
        harmless: Others, which change nothing for psql.
        any: What all of them look like.
        starts_up: Whether the part to be applied begins with the file.
        first_only: Whether the first mark of each part counts, and the whole file is applied where there is none.
        once: Whether the tool refuses a second part to be applied.
        begins, ends: What encloses a statement; a tool refuses one that is left open.
    """

    up: re.Pattern[bytes]
    down: re.Pattern[bytes]
    alone: re.Pattern[bytes]
    harmless: re.Pattern[bytes]
    any: re.Pattern[bytes]
    starts_up: bool = False
    first_only: bool = False
    once: bool = False
    begins: re.Pattern[bytes] | None = None
    ends: re.Pattern[bytes] | None = None


_NEVER = _line(r"(?!)")
SECTIONS = {
    # https://pressly.github.io/goose/documentation/annotations/
    "goose": _Marks(
        up=_line(r"--\s*\+goose\s+up"),
        down=_line(r"--\s*\+goose\s+down"),
        alone=_line(r"--\s*\+goose\s+no transaction"),
        harmless=_line(r"--\s*\+goose\s+(statementbegin|statementend|envsub off)"),
        any=re.compile(rb"\s*--.*\+goose"),
        once=True,
        begins=_line(r"--\s*\+goose\s+statementbegin"),
        ends=_line(r"--\s*\+goose\s+statementend"),
    ),
    # https://github.com/amacneil/dbmate, "Migration Options"
    "dbmate": _Marks(
        up=_line(r"--\s*migrate:up(\s.*)?"),
        down=_line(r"--\s*migrate:down(\s.*)?"),
        alone=_line(r"--\s*migrate:up\s(.*\s)?transaction:false(\s.*)?"),
        harmless=_NEVER,
        any=re.compile(rb"\s*(?:--|/\*)\s*migrate:"),
    ),
    # https://github.com/rubenv/sql-migrate, "Writing migrations"
    "sql-migrate": _Marks(
        up=_line(r"-- \+migrate\s+up(\s.*)?"),
        down=_line(r"-- \+migrate\s+down(\s.*)?"),
        alone=_line(r"-- \+migrate\s+up\s(.*\s)?notransaction(\s.*)?"),
        harmless=_line(r"-- \+migrate\s+(statementbegin|statementend)"),
        any=re.compile(rb"\s*--\s*\+migrate"),
        begins=_line(r"-- \+migrate\s+statementbegin"),
        ends=_line(r"-- \+migrate\s+statementend"),
    ),
    # https://salsita.github.io/node-pg-migrate/migrations/, "SQL migrations"
    "node-pg-migrate": _Marks(
        up=re.compile(rb"\s*--[\s-]*up\s+migration", re.IGNORECASE),
        down=re.compile(rb"\s*--[\s-]*down\s+migration", re.IGNORECASE),
        alone=_NEVER,
        harmless=_NEVER,
        any=_NEVER,
        first_only=True,
    ),
    # https://github.com/jackc/tern, "Migrations"
    "tern": _Marks(
        up=_NEVER,
        down=_line(r"---- create above / drop below ----"),
        alone=_line(r"---- tern: disable-tx ----"),
        harmless=_NEVER,
        # It divides a file wherever these words are.
        any=re.compile(rb".*---- (create above|tern:)"),
        starts_up=True,
    ),
}
_BLOCK_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
_TEMPLATES = {"tern": re.compile(rb"\{\{")}


def up_part(layout: str, file: Script) -> Script:
    """Return a file with nothing but what the tool applies.

    Raises:
        TemplateError: The tool would refuse it, or does something with it that psql cannot do.
    """
    marks = SECTIONS[layout]
    lines = file.content().split(b"\n")
    _refuse_byte_order_mark(layout, file, lines[0])
    _refuse_open_statement(layout, file, lines)
    starts_up = marks.starts_up or (marks.first_only and not any(_part_of(marks, line) for line in lines))
    lines = _with_first_marks(marks, lines) if marks.first_only else lines
    state = "up" if starts_up else "before"
    transaction, has_up, kept = True, starts_up, []
    for number, line in enumerate(lines, start=1):
        shown = line.decode("utf-8", "replace").strip()
        transaction = transaction and not marks.alone.match(line)
        if marks.up.match(line):
            if has_up and marks.once:
                raise TemplateError(f"{file.shown}, line {number}: {shown!r} is there twice, which {layout} refuses")
            state, has_up = "up", True
        elif marks.down.match(line):
            state = "down"
        elif marks.any.match(line) and not marks.alone.match(line) and not marks.harmless.match(line):
            raise TemplateError(
                f"{file.shown}, line {number}: {shown!r} is nothing that psql can do for {layout}, or is misspelt: run "
                f"{layout} itself (attribute and key migrate), or correct it"
            )
        elif state == "up":
            if layout in _TEMPLATES and _TEMPLATES[layout].search(line):
                raise TemplateError(
                    f"{file.shown}, line {number}: {layout} would fill in a template there: run {layout} itself "
                    "(attribute and key migrate)"
                )
            kept.append(line)
            continue
        kept.append(b"")
    if not starts_up:
        _refuse_ignored(layout, file, lines)
    if not has_up:
        raise TemplateError(
            f"{file.shown} has no mark of {layout}'s that begins the part to be applied, and layout = {layout!r} says "
            "that it has: write the mark, or another layout"
        )
    return replace(file, text=b"\n".join(kept), transaction=transaction)


def _part_of(marks: _Marks, line: bytes) -> str:
    """Return which part a line begins, "" if it begins none."""
    return "up" if marks.up.match(line) else "down" if marks.down.match(line) else ""


def _with_first_marks(marks: _Marks, lines: list[bytes]) -> list[bytes]:
    """Return lines in which a mark that was there before is an empty comment."""
    seen = {""}
    kept = []
    for line in lines:
        part = _part_of(marks, line)
        kept.append(b"--" if part and part in seen else line)
        seen.add(part)
    return kept


def _refuse_ignored(layout: str, file: Script, lines: list[bytes]) -> None:
    """Refuse statements before the first mark."""
    marks = SECTIONS[layout]
    first = next((index for index, line in enumerate(lines) if _part_of(marks, line)), len(lines))
    head = _BLOCK_COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), b"\n".join(lines[:first]))
    for number, line in enumerate(head.split(b"\n"), start=1):
        if line.strip() and not line.lstrip().startswith(b"--"):
            shown = line.decode("utf-8", "replace").strip()
            raise TemplateError(
                f"{file.shown}, line {number}: {shown!r} stands before {layout}'s first mark, which it ignores"
            )


def _refuse_byte_order_mark(layout: str, file: Script, line: bytes) -> None:
    text = line.removeprefix(codecs.BOM_UTF8)
    if text != line and SECTIONS[layout].any.match(text):
        raise TemplateError(
            f"{file.shown}, line 1: it begins with a byte order mark, behind which {layout} does not see its own mark: "
            "save the file as UTF-8 without one"
        )


def _refuse_open_statement(layout: str, file: Script, lines: list[bytes]) -> None:
    marks = SECTIONS[layout]
    opened = 0
    for number, line in enumerate(lines, start=1):
        if opened and marks.down.match(line):
            break
        if marks.begins and marks.begins.match(line):
            opened = number
        elif marks.ends and marks.ends.match(line):
            opened = 0
    if opened:
        shown = lines[opened - 1].decode("utf-8", "replace").strip()
        raise TemplateError(
            f"{file.shown}, line {opened}: {shown!r} has no StatementEnd before the part ends, which {layout} refuses: "
            "write it"
        )
