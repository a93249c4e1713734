"""Where a project's migrations in SQL are, and what pattern names them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import walk
from realservices.schema.flyway import letter_of

if TYPE_CHECKING:
    from pathlib import Path

_PLAN = "sqitch.plan"
_MIGRATIONS = re.compile(r"migrations?(?:[_-]\w+)?|migrate|deploy")
_SCHEMAS = re.compile(r"sql|db|database|schemas?")
# What a tool writes beside its migrations, and what that says of another database's: Drizzle, Prisma, Atlas.
_BESIDE = ("meta/_journal.json", "migration_lock.toml", "atlas.sum")
_OTHERS_PROVIDER = re.compile(r"""(?:"dialect":|provider\s*=)\s*"(?!postgres)""")
# Of Diesel, Prisma and Drizzle: a directory for each migration.
_EACH_ITS_OWN = ("up.sql", "migration.sql")
_OTHERS_DIALECT = re.compile(
    r"mysql|mariadb|sqlite\d?|clickhouse|mssql|sqlserver|oracle|h2|cockroach\w*|spanner|duckdb"
)


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """A folder of migrations.

    Attributes:
        patterns: What names them, from the project's directory.
        paths: The files.
        layout: Of a tool that has said so.
        seed: A file of SQL beside them that holds rows.
        others: Patterns of what may be meant instead.
    """

    patterns: list[str]
    paths: list[Path]
    layout: str = ""
    seed: str = ""
    others: list[str] = field(default_factory=list)


def sql_files(root: Path) -> SqlFiles | None:
    """Return the migrations of a project, None if there are none in SQL."""
    if (root / _PLAN).is_file():
        return SqlFiles([_PLAN, "deploy/*.sql"], sorted([root / _PLAN, *root.glob("deploy/*.sql")]), "sqitch")
    found = _patterns(root)
    best = next((names for names in found if names), [])
    if best:
        first, *others = best
        seed = first.partition("migrations/")[0] + "seed.sql"
        is_seed = first.startswith("supabase/") and (root / seed).is_file()
        return SqlFiles([first], sorted(root.glob(first)), "", seed if is_seed else "", others)
    if (root / "schema.sql").is_file():
        return SqlFiles(["schema.sql"], [root / "schema.sql"])
    return None


def _patterns(root: Path) -> tuple[list[str], list[str]]:
    """Return patterns of folders that are named after migrations, and after a schema, the nearest ones first."""
    migrations: dict[str, None] = {}
    schemas: dict[str, None] = {}
    for here, files in walk(root):
        names = [name for name in files if name.endswith(".sql")]
        parts = here.relative_to(root).parts
        if not names or not parts or _OTHERS_DIALECT.search(here.relative_to(root).as_posix()):
            continue
        pattern = _pattern(root, here, names)
        beside = _beside(here) or _beside(here.parent)
        if _OTHERS_PROVIDER.search(beside):
            continue
        if beside or any(_MIGRATIONS.fullmatch(part) for part in parts):
            migrations[pattern] = None
        elif _SCHEMAS.fullmatch(parts[-1]):
            schemas[pattern] = None
    return _nearest(migrations), _nearest(schemas)


def _beside(directory: Path) -> str:
    """Return what a tool has written beside its migrations, "" if none has."""
    found = (directory / name for name in _BESIDE)
    return "".join(path.read_text("utf-8", "replace") for path in found if path.is_file())


def _pattern(root: Path, here: Path, names: list[str]) -> str:
    shown = here.relative_to(root).as_posix()
    if its_own := next((name for name in _EACH_ITS_OWN if name in names), ""):
        return f"{here.parent.relative_to(root).as_posix()}/*/{its_own}".removeprefix("./")
    # Flyway looks into all folders below.
    flyway = next((parent for parent in (here, *here.parents) if _is_flyways(root, parent)), None)
    if flyway:
        top = next(parent for parent in reversed([flyway, *flyway.parents]) if _is_flyways(root, parent))
        is_deep = any(path.is_dir() for path in top.iterdir())
        return f"{top.relative_to(root).as_posix()}/{'**/' if is_deep else ''}*.sql"
    return f"{shown}/*.sql"


def _is_flyways(root: Path, directory: Path) -> bool:
    is_inside = directory != root and directory.is_relative_to(root)
    return is_inside and any(letter_of(path.name) == "V" for path in directory.glob("*.sql"))


def _nearest(patterns: dict[str, None]) -> list[str]:
    return sorted(patterns, key=_place)


def _place(pattern: str) -> tuple[int, bool, str]:
    """Return what patterns are ordered by: depth; at the same one, files in directories of their own come first."""
    is_its_own = pattern.endswith(_EACH_ITS_OWN)
    return pattern.count("/") - is_its_own, not is_its_own, pattern
