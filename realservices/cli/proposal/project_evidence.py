"""What a project's files say about its services. Read only; each finding knows where it stands."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.cli.proposal.compose import Image, read_compose
from realservices.cli.proposal.read_names import names_read, settings_files
from realservices.cli.proposal.settings_classes import fields_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARIABLE_FILES = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.test", ".env")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
_NAME = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)")
_FOLDERS = (
    "migrations", "db/migrations", "db/migrate", "database/migrations", "sql/migrations", "sql", "db", "schema",
    "src/main/resources/db/migration", "supabase/migrations", "prisma/migrations",
)  # fmt: skip
_READS_ENVIRONMENT = re.compile(r"environ|getenv|settings|config\(|dj_database_url|Env\(")


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """A folder of migrations.

    Attributes:
        pattern: What names them, from the project's directory.
        paths: The files.
    """

    pattern: str
    paths: list[Path]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that the project knows.

    Attributes:
        value: What a file gives it; "" if nothing.
        where: The file.
        is_read: It is read by code, and not set by a file.
    """

    value: str
    where: str
    is_read: bool = False


@dataclass(slots=True)
class Evidence:
    """All that was found.

    Attributes:
        root: The project's directory.
        dependencies: Normalised name of a package to the file that names it.
        images: The services of a compose file.
        variables: By name, those of .env files, of what a compose file builds, and of what settings read.
        alembic: The folder of Alembic's scripts, empty if there is no alembic.ini.
        alembic_reads_environment: Its env.py looks at the environment or at settings.
        has_django: There is a manage.py that is Django's.
        has_bazel: There is a MODULE.bazel.
        sql: Folders with migrations in SQL.
        unread: Files that could not be read, and why.
    """

    root: Path
    dependencies: dict[str, str] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)
    alembic: str = ""
    alembic_reads_environment: bool = False
    has_django: bool = False
    has_bazel: bool = False
    sql: list[SqlFiles] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def look(root: Path) -> Evidence:
    """Read what there is."""
    found = Evidence(root)
    found.has_bazel = (root / "MODULE.bazel").is_file()
    found.has_django = "DJANGO_SETTINGS_MODULE" in _text(found, root / "manage.py")
    for name, file in _dependencies(found):
        found.dependencies.setdefault(_normalised(name), file)
    for path in sorted(root.glob("*compose*.y*ml")):
        found.images += read_compose(path.name, _text(found, path))
    for name in _VARIABLE_FILES:
        for line in _text(found, root / name).splitlines():
            if match := _ASSIGNMENT.match(line):
                found.variables.setdefault(match[1], Variable(match[2].strip("'\""), name))
    for image in found.images:
        for variable, value in image.environment.items() if not image.name else ():
            found.variables.setdefault(variable, Variable(value, image.where))
    for path in settings_files(root):
        text = _text(found, path)
        for variable, default in (*names_read(text), *fields_read(text)):
            found.variables.setdefault(variable, Variable(default, str(path.relative_to(root)), is_read=True))
    _look_at_alembic(found)
    found.sql = list(_sql_files(root)) if not found.alembic and not found.has_django else []
    return found


def _look_at_alembic(found: Evidence) -> None:
    text = _text(found, found.root / "alembic.ini")
    if not text:
        return
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
        folder = parser.get("alembic", "script_location")
    except configparser.Error as error:
        found.unread.append(f"alembic.ini: {error}")
        return
    found.alembic = folder.replace("%(here)s/", "").strip("/")
    script = _text(found, found.root / found.alembic / "env.py")
    found.alembic_reads_environment = bool(_READS_ENVIRONMENT.search(script))


def _sql_files(root: Path) -> Iterator[SqlFiles]:
    for folder in _FOLDERS:
        for pattern in (f"{folder}/*.sql", f"{folder}/*/up.sql", f"{folder}/*/migration.sql", f"{folder}/*/*.sql"):
            if paths := sorted(root.glob(pattern)):
                yield SqlFiles(pattern, paths)
                return
    if (root / "schema.sql").is_file():
        yield SqlFiles("schema.sql", [root / "schema.sql"])


def _dependencies(found: Evidence) -> Iterator[tuple[str, str]]:
    for path in sorted(found.root.glob("*requirements*.txt")) + sorted(found.root.glob("requirements/*.txt")):
        shown = str(path.relative_to(found.root))
        yield from ((match[1], shown) for line in _text(found, path).splitlines() if (match := _NAME.match(line)))
    content = _toml(found, "pyproject.toml")
    project, tool = _table(content, "project"), _table(content, "tool")
    lists = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    lists += _table(content, "dependency-groups").values()
    for each in lists:
        for line in each if isinstance(each, list) else ():
            if isinstance(line, str) and (match := _NAME.match(line)):
                yield match[1], "pyproject.toml"
    poetry = _table(tool, "poetry")
    groups = [_table(group, "dependencies") for group in _table(poetry, "group").values() if isinstance(group, dict)]
    for table in (_table(poetry, "dependencies"), *groups):
        yield from ((name, "pyproject.toml") for name in table)


def _toml(found: Evidence, name: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - for this command only

    try:
        return tomllib.loads(_text(found, found.root / name))
    except ValueError as error:
        found.unread.append(f"{name}: {error}")
        return {}


def _table(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key, {})
    return value if isinstance(value, dict) else {}


def _text(found: Evidence, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        found.unread.append(f"{path.relative_to(found.root)}: {error}")
        return ""


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
