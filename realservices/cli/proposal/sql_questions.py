"""What files of SQL want that a plain PostgreSQL, or psql, has not: Supabase's roles and schemas, a tool's values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.cli.proposal.project_evidence import Evidence

_SUPABASE = re.compile(
    r"\bauth\.(?:users|uid|jwt|role|email)\b|\bstorage\.(?:buckets|objects)\b|\bschema\s+\"?extensions\b"
    r"|\bto\s+\"?(?:anon|authenticated|service_role)\b",
    re.IGNORECASE,
)
_OWN_SCHEMA = re.compile(r"\bCREATE\s+(?:SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?auth|ROLE\s+\"?anon)\b", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{[^\n]*?\}\}|(?<![:\w]):[A-Z][A-Z_]{3,}\b")


def sql_questions(found: Evidence) -> Iterator[str]:
    """Yield what is to be done about the files that were found, each kind of want once."""
    texts = {
        path.relative_to(found.root).as_posix(): found.text(path) for path in (found.sql.paths if found.sql else ())
    }
    first = next(_matches(_SUPABASE, texts), None)
    if first and not any(map(_OWN_SCHEMA.search, texts.values())):
        yield (
            f"{first[0]} wants {first[1]!r}, which Supabase's servers come with: docs/schema.md (Supabase) has a file "
            "that makes it, to be named in migrations before the others"
        )
    if first := next(_matches(_TEMPLATE, texts), None):
        yield (
            f"{first[0]} has {first[1]!r}, where a tool puts a value, and psql does not: have the tool make the "
            "schema, with migrate (docs/migrators.md)"
        )


def _matches(pattern: re.Pattern[str], texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield from ((name, match[0]) for name, text in texts.items() if (match := pattern.search(text)))
