"""What a project's files say about its services. Read only; each finding knows where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.cli.proposal.compose import Image, merged, read_compose
from realservices.cli.proposal.django_databases import aliases
from realservices.cli.proposal.migration_programs import migrator_of
from realservices.cli.proposal.other_dependencies import dependencies_of_others
from realservices.cli.proposal.other_names import names_read_by_others
from realservices.cli.proposal.other_programs import other_program
from realservices.cli.proposal.project_files import table_of
from realservices.cli.proposal.python_dependencies import dependencies_of_python
from realservices.cli.proposal.read_names import names_read, reading_files
from realservices.cli.proposal.settings_classes import fields_read
from realservices.cli.proposal.sql_folders import sql_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.cli.proposal.other_programs import Migrator
    from realservices.cli.proposal.sql_folders import SqlFiles

_VARIABLE_FILES = (".flaskenv", ".env.example", ".env.sample", ".env.template", ".env.dist", ".env.test", ".env")
# Of python-dotenv, django-environ and environs.
_OVERRIDES = re.compile(r"\b(?:load_dotenv|read_env)\([^\n]*\b(?:override|overwrite)\s*=\s*True")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that the project knows.

    Attributes:
        value: What a file gives it; "" if nothing.
        where: The file.
        is_read: It is read by code, and not set by a file.
        is_required: Code fails without it.
    """

    value: str
    where: str
    is_read: bool = False
    is_required: bool = False


@dataclass(slots=True)
class Evidence:
    """All that was found.

    Attributes:
        root: The project's directory.
        dependencies: Normalised name of a package to the file that names it; `npm:` and its like begin others' names.
        images: The services of a compose file.
        variables: By name, those of .env files, of what a compose file builds, and of what settings read.
        migrator: The program that makes the schema.
        aliases: The databases of Django's settings, each with the variables that it is read from.
        aliases_in: The file that names them.
        has_bazel: There is a MODULE.bazel.
        sql: Migrations in SQL, where no program makes the schema.
        overriding: Files of code that have a .env file replace what the environment has.
        elsewhere: Folders with tests of their own, and what was found there: of another project, below this one.
        unread: Files that could not be read, and why.
    """

    root: Path
    dependencies: dict[str, str] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)
    migrator: Migrator | None = None
    aliases: dict[str, set[str]] = field(default_factory=dict)
    aliases_in: str = ""
    has_bazel: bool = False
    sql: SqlFiles | None = None
    overriding: list[str] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def text(self, path: Path) -> str:
        """Return what a file holds, "" if it is not there, or cannot be read."""
        try:
            return path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, ValueError) as error:
            self.unread.append(f"{path.relative_to(self.root)}: {error}")
            return ""

    def toml(self, name: str) -> dict[str, Any]:
        """Return what a file of TOML in the project's directory holds, nothing if it cannot be read."""
        import tomllib  # noqa: PLC0415 - for this command only

        try:
            return tomllib.loads(self.text(self.root / name))
        except ValueError as error:
            self.unread.append(f"{name}: {error}")
            return {}


def look(root: Path) -> Evidence:
    """Read what there is."""
    found = Evidence(root)
    found.has_bazel = (root / "MODULE.bazel").is_file()
    pyproject = found.toml("pyproject.toml")
    for name, file in (*dependencies_of_python(found, pyproject), *dependencies_of_others(found)):
        found.dependencies.setdefault(name, file)
    found.images = merged(
        image for path in sorted(root.glob("*compose*.y*ml")) for image in read_compose(path.name, found.text(path))
    )
    for name, variable in _variables(found):
        found.variables.setdefault(name, variable)
    found.migrator = migrator_of(found, table_of(table_of(pyproject, "tool"), "alembic"))
    if not found.migrator:
        found.sql = sql_files(root)
        found.migrator = other_program(found, has_sql=found.sql is not None)
        found.sql = None if found.migrator else found.sql
    return found


def _variables(found: Evidence) -> Iterator[tuple[str, Variable]]:
    """Yield the variables that files set, then those that code reads."""
    for name in _VARIABLE_FILES:
        for line in found.text(found.root / name).splitlines():
            if match := _ASSIGNMENT.match(line):
                yield match[1], Variable(match[2].strip("'\""), name)
    for image in found.images:
        for name, value in image.environment.items() if not image.name else ():
            yield name, Variable(value, image.where)
    for path, text in reading_files(found):
        shown = str(path.relative_to(found.root))
        for name, default, is_required in (*names_read(text, path), *fields_read(text)):
            yield name, Variable(default, shown, is_read=True, is_required=is_required)
        if _OVERRIDES.search(text):
            found.overriding.append(shown)
        if not found.aliases:
            found.aliases, found.aliases_in = aliases(text, path), shown
    for name, default, shown in names_read_by_others(found):
        yield name, Variable(default, shown, is_read=True)
