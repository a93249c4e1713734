"""Folders of migrations that the files of a project's tools name: sqlc, Drizzle, Atlas, Diesel, dbmate, Flyway."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import find_any, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JAVASCRIPT = ("ts", "js", "mjs", "cjs")
_SQLC = r"""^\s*-?\s*schema:\s*["']?([\w./-]+)"""
_DRIZZLE = r"""^\s*out:\s*["'`]([\w./-]+)"""
# File: what names a folder there, from the file's own.
_NAMED = {
    "sqlc.yaml": _SQLC,
    "sqlc.yml": _SQLC,
    **{f"drizzle.config.{ending}": _DRIZZLE for ending in _JAVASCRIPT},
    "atlas.hcl": r"""^\s*dir\s*=\s*"file://([\w./-]+)""",
    "diesel.toml": r"""^\s*dir\s*=\s*"([\w./-]+)""",
    "flyway.conf": r"""^\s*flyway\.locations\s*=\s*filesystem:([\w./-]+)""",
    "flyway.toml": r"""^\s*locations\s*=\s*\[\s*"filesystem:([\w./-]+)""",
    ".env": r"""^\s*(?:DBMATE_MIGRATIONS_DIR|GOOSE_MIGRATION_DIR)\s*=\s*["']?([\w./-]+)""",
}


def named_folders(root: Path) -> Iterator[str]:
    """Yield the folders, from the project's directory, and files where those are named."""
    for path in find_any(root, _NAMED):
        text = text_of(path)
        for match in re.finditer(_NAMED[path.name], text, re.MULTILINE):
            below = path.parent.relative_to(root).as_posix()
            yield posixpath.normpath(posixpath.join(below, match[1]))
