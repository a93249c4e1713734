"""Files that psql would misread, or refuse with words that lead nowhere: they are no text of SQL that it can read."""

from __future__ import annotations

import os
import re

from realservices.contract.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.schema.script import Script

# How much of a file is looked at: a large one holds data, and is read once more by psql.
_LOOKED_AT_BYTES = 1 << 20
_HEAD_BYTES = 1 << 10
_DUMP = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump\s*$", re.MULTILINE)
_COMPLETE = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump complete\s*$", re.MULTILINE)
_ROWS = re.compile(rb"^COPY [^;\n]* FROM stdin;\r?\n", re.MULTILINE)
_BEGINNINGS = (
    (b"PGDMP", "is an archive of pg_dump's custom format: write it as text by pg_restore --file=dump.sql --no-owner"),
    (b"\x1f\x8b", "is compressed by gzip: unpack it, and name what comes out"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it, and name what comes out"),
    (b"BZh", "is compressed by bzip2: unpack it, and name what comes out"),
    (b"\xfd7zXZ", "is compressed by xz: unpack it, and name what comes out"),
    (b"\x04\x22\x4d\x18", "is compressed by lz4: unpack it, and name what comes out"),
    (b"toc.dat\0", "is an archive of pg_dump's tar format: write it as text by pg_restore --file=dump.sql --no-owner"),
    (b"PK\x03\x04", "is a zip archive: unpack it, and name what comes out"),
    (b"\xff\xfe", "is UTF-16, which psql does not read: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"\xfe\xff", "is UTF-16, which psql does not read: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"version https://git-lfs.github.com/", "is a pointer of Git LFS, not the file itself: run git lfs pull"),
    (b"SQLite format 3\0", "is a database of SQLite, not a text of SQL"),
)


def not_utf_8(content: bytes) -> tuple[int, int] | None:
    """Return the line, from 1, and the value of the first byte that is not UTF-8; None: all are."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1, content[error.start]
    return None


def refuse_no_sql(files: Sequence[Script]) -> None:
    """Refuse files that are no text of SQL.

    Raises:
        TemplateError: One is none; the message says what it is, and what to do.
    """
    for file in files:
        try:
            with open(file.path, "rb") as content:
                text = content.read(_LOOKED_AT_BYTES)
        except OSError as error:
            raise TemplateError(f"{file.shown} cannot be read: {error.strerror}") from None
        for beginning, what in _BEGINNINGS:
            if text.startswith(beginning):
                raise TemplateError(f"{file.shown} {what}")
        _refuse_lost_lines(file, text)
        _refuse_cut_off(file, text)


def _refuse_lost_lines(file: Script, text: bytes) -> None:
    position = text.find(b"\0")
    if position >= 0:
        line = text.count(b"\n", 0, position) + 1
        raise TemplateError(
            f"{file.shown}, line {line}: it holds a byte 0, after which psql passes over "
            "the rest of the line: take it out, or save a file of UTF-16 as UTF-8"
        )
    if b"\r" in text and b"\n" not in text:
        raise TemplateError(
            f"{file.shown}: its lines end with CR alone, so that a comment may hide what follows it: save it with LF "
            "or CRLF as line ends"
        )


def _refuse_cut_off(file: Script, beginning: bytes) -> None:
    """Refuse a dump that ends among rows: psql takes its end for theirs."""
    if not _DUMP.search(beginning[:_HEAD_BYTES]):
        return
    with open(file.path, "rb") as content:
        content.seek(max(0, os.path.getsize(file.path) - _LOOKED_AT_BYTES))
        end = content.read()
    rows = max((match.end() for match in _ROWS.finditer(end)), default=-1)
    if not _COMPLETE.search(end) and rows >= 0 and b"\n\\." not in end[rows - 1 :]:
        raise TemplateError(
            f"{file.shown} ends among the rows of a COPY, without \\. behind them: it is cut off; have pg_dump "
            "write it again"
        )
