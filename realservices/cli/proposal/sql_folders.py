"""Where a project's migrations in SQL are, and what pattern names them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.cli.proposal.named_folders import named_folders
from realservices.cli.proposal.project_files import walk
from realservices.cli.proposal.sql_dialects import is_another_databases, notes_beside, speaks_of
from realservices.schema.flyway import letter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_PLAN = "sqitch.plan"
_MIGRATIONS = re.compile(r"migrations?(?:[_-]\w+)?|migrate|deploy")
_SCHEMAS = re.compile(r"sql|db|database|schemas?|(?:docker-entrypoint-)?initdb(?:\.d)?")
# Of Diesel, Prisma and Drizzle: a directory for each migration.
_EACH_ITS_OWN = ("up.sql", "migration.sql")
# One file that has all: Rails, Ecto, Spring; the latter may say for which database.
_WHOLE = re.compile(r"structure\.sql|schema(?:-(?:postgres(?:ql)?|pg))?\.sql")
_ROWS: tuple[str, ...] = (
    "seed.sql",
    "seeds.sql",
    "data.sql",
    "data-postgresql.sql",
    "data-postgres.sql",
    "data-pg.sql",
)
# What is there is rather somebody's example.
_ASIDE = re.compile(
    r"(?:^|/)(?:_*tests?_*|testdata|test-data|fixtures?|stubs?|examples?|samples?|spec|e2e|demos?|docs?)/"
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
    migrations, schemas = _patterns(root, lambda shown, notes, paths: not is_another_databases(shown, notes, paths))
    found = migrations or schemas
    if not found:
        return None
    first, *others = found
    return SqlFiles([first], sorted(root.glob(first)), "", _seed(root, first), others)


def patterns_of(root: Path, folders: str, words: str) -> list[str]:
    """Return patterns of the files of SQL for another database than PostgreSQL; the likeliest come first.

    Args:
        root: The project's directory.
        folders: A regular expression of what is in the names of its folders.
        words: One of what is in its files alone.
    """
    migrations, schemas = _patterns(root, lambda shown, _, paths: speaks_of(shown, paths, folders, words))
    return [*migrations, *schemas]


def _seed(root: Path, pattern: str) -> str:
    """Return the file of rows that belongs to Supabase's migrations, or to a whole schema."""
    folder, _, name = pattern.rpartition("/")
    if pattern.startswith("supabase/"):
        beside = ["supabase/seed.sql"]
    else:
        beside = [f"{folder}/{rows}".lstrip("/") for rows in _ROWS] if _WHOLE.fullmatch(name) else []
    return next((each for each in beside if (root / each).is_file()), "")


def _patterns(root: Path, is_wanted: Callable[[str, str, list[Path]], bool]) -> tuple[list[str], list[str]]:
    """Return patterns of folders named after migrations, and of those after a schema; the likeliest come first.

    Args:
        root: The project's directory.
        is_wanted: Returns whether a folder's files are, by its name, what a tool says beside them, and the files.
    """
    migrations: dict[str, None] = {}
    schemas: dict[str, None] = {}
    told = set(named_folders(root))
    named: dict[str, None] = {}
    for here, files in walk(root):
        names = [name for name in files if name.endswith(".sql")]
        shown = here.relative_to(root).as_posix()
        notes = notes_beside(here) if names else ""
        if not names or not is_wanted(shown, notes, [here / name for name in names]):
            continue
        parts = () if here == root else here.relative_to(root).parts
        whole = next((name for name in names if _WHOLE.fullmatch(name)), "")
        pattern = _pattern(root, here, names)
        if told & {shown, here.parent.relative_to(root).as_posix() if parts else ""}:
            named[pattern] = None
        elif parts and (notes or any(_MIGRATIONS.fullmatch(part) for part in parts)):
            migrations[pattern] = None
        elif whole:
            schemas[f"{shown}/{whole}".removeprefix("./")] = None
        elif parts and _SCHEMAS.fullmatch(parts[-1]):
            schemas[pattern] = None
    return [*_nearest(named), *_nearest(migrations)], _nearest(schemas)


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
    # graphile-migrate has what is still being written beside what is done.
    if "current.sql" in names and (here / "committed").is_dir():
        return f"{shown}/committed/*.sql"
    return f"{shown}/*.sql".removeprefix("./")


def _is_flyways(root: Path, directory: Path) -> bool:
    is_inside = directory != root and directory.is_relative_to(root)
    return is_inside and any(letter_of(path.name) == "V" for path in directory.glob("*.sql"))


def _nearest(patterns: Iterable[str]) -> list[str]:
    return sorted(patterns, key=_place)


def _place(pattern: str) -> tuple[bool, int, bool, str]:
    """Return what patterns are ordered by: depth; at the same one, files in directories of their own come first."""
    is_its_own = pattern.endswith(_EACH_ITS_OWN)
    return bool(_ASIDE.search(pattern)), pattern.count("/") - is_its_own, not is_its_own, pattern
