"""Folders of SQL that are another database's: their path says so, a tool has noted it beside them, or their text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PATH = re.compile(
    r"mysql|mariadb|sqlite|clickhouse|mssql|sqlserver|cockroach|hsqldb|duckdb|cassandra"
    r"|(?<![a-z])(?:h2|db2|derby|oracle|spanner|scylla|crdb)(?![a-z])",
    re.IGNORECASE,
)
# What a tool writes beside its migrations, and what that says of another database's: Drizzle, Prisma.
_BESIDE = ("meta/_journal.json", "migration_lock.toml", "schema.prisma", "atlas.sum")
_OTHERS_PROVIDER = re.compile(r"""(?:"dialect":|provider\s*=)\s*"(?!postgres|prisma-client)""")
# What only others' statements have, and what only those for PostgreSQL have.
_OTHERS_TEXT = re.compile(
    r"\b(?:TABLE|EXISTS|INTO|UPDATE|ON)\s+`\w|\bENGINE\s*=\s*\w|\bAUTO_?INCREMENT\b|^\s*PRAGMA\s|^\s*GO\s*$|\bN?VARCHAR2?\(MAX\)|\bIDENTITY\s*\(1"
    r"|\bVARCHAR2\b|\[dbo\]",
    re.IGNORECASE | re.MULTILINE,
)
_OWN_TEXT = re.compile(
    r"\b(?:BIG|SMALL)?SERIAL\b|\bTIMESTAMPTZ\b|\bJSONB\b|\bplpgsql\b|::\w|\bCREATE EXTENSION\b|\bgen_random_uuid\b"
    r"|\bpg_catalog\b|\bAS IDENTITY\b|\bBYTEA\b",
    re.IGNORECASE,
)
_LOOKED_AT_FILES, _LOOKED_AT_BYTES = 20, 1 << 16


def notes_beside(directory: Path) -> str:
    """Return what a tool has written beside its migrations, or above the folders of each, "" if none has."""
    found = (place / name for place in (directory, directory.parent) for name in _BESIDE)
    return "".join(map(text_of, found))


def is_another_databases(shown: str, notes: str, paths: Sequence[Path]) -> bool:
    """Return whether files of SQL are not for PostgreSQL.

    Args:
        shown: Their folder, from the project's directory.
        notes: What a tool says beside them.
        paths: The files.
    """
    if _PATH.search(shown) or _OTHERS_PROVIDER.search(notes):
        return True
    texts = "\n".join(_beginning(path) for path in paths[:_LOOKED_AT_FILES])
    return bool(_OTHERS_TEXT.search(texts)) and not _OWN_TEXT.search(texts)


def speaks_of(shown: str, paths: Sequence[Path], folders: str, words: str) -> bool:
    """Return whether files of SQL are for a database that is known by words.

    Args:
        shown: Their folder, from the project's directory.
        paths: The files.
        folders: A regular expression of what is in its folders' names.
        words: One of what is in its files alone.
    """
    if re.search(folders, shown, re.IGNORECASE):
        return True
    return any(re.search(words, _beginning(path), re.IGNORECASE) for path in paths[:_LOOKED_AT_FILES])


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
