"""The program that makes a project's schema where that is written in another language: knex, Rails, Ecto, Laravel, ….

Each is known by a file of its own, and runs in the folder where its tool is started.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import find_any, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from realservices.cli.proposal.project_evidence import Evidence

_SCRIPT = r"\.[cm]?[jt]s"
_FOLDER = re.compile(r"migrations?")


@dataclass(slots=True)
class Migrator:
    """A program that makes the schema.

    Attributes:
        command: How it is started.
        inputs: What it reads.
        versions: The folder of its migrations, if that is one.
        where: The file that takes the URL from elsewhere than the environment.
        env: What it wants beside the server's address.
        home: What it looks for in HOME, which is its own.
    """

    command: list[str]
    inputs: list[str]
    versions: str = ""
    where: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    home: str = ""


@dataclass(frozen=True, slots=True)
class _Tool:
    """How a tool is known, and started.

    Attributes:
        marker: The file's name.
        command: `{marker}` is the file. One word of npm's is found among what npm has installed.
        wants: What is in the file's text.
        root: The file that stands where it is started, or with a slash at its end what that folder is called; "": the
            marker's own folder. A project that has neither is the place itself.
        above: How many folders above the marker that is, where nothing is said of it.
        migrations: Names of its migrations in a folder that is called so; "": it has none.
        reads: What it reads beside, from where it is started; `{folder}` is the marker's own folder.
        env: See `Migrator`.
        home: See `Migrator`.
        yields: Files of SQL are taken where there are some.
    """

    marker: str
    command: tuple[str, ...]
    wants: str = ""
    root: str = ""
    above: int = 0
    migrations: str = ""
    reads: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    yields: bool = False


_JDBC = {
    "LIQUIBASE_COMMAND_URL": "jdbc:postgresql://$(host):$(port)/$(database)",
    "LIQUIBASE_COMMAND_USERNAME": "$(user)",
    "LIQUIBASE_COMMAND_PASSWORD": "$(password)",
}
_TOOLS = (
    _Tool(rf"knexfile{_SCRIPT}", ("npm:knex", "--knexfile", "{marker}", "migrate:latest"), root="package.json",
          migrations=rf".*{_SCRIPT}"),
    _Tool(r"\.sequelizerc", ("npm:sequelize-cli", "db:migrate"), root="package.json", migrations=rf".*{_SCRIPT}"),
    _Tool(r"package\.json", ("npm:sequelize-cli", "db:migrate"), wants=r'"sequelize-cli"\s*:',
          migrations=rf".*{_SCRIPT}", reads=("config/config.js*",)),
    _Tool(r"package\.json", ("npm:node-pg-migrate", "up"), wants=r'"node-pg-migrate"\s*:', migrations=rf".*{_SCRIPT}"),
    _Tool(r"package\.json", ("npm:db-migrate", "up"), wants=r'"db-migrate"\s*:', migrations=rf"\d.*{_SCRIPT}",
          reads=("database.json",)),
    _Tool(r".*data-?source.*\.ts", ("npm:typeorm-ts-node-commonjs", "migration:run", "-d", "{marker}"),
          wants=r"new DataSource\(", root="package.json", migrations=rf".*{_SCRIPT}", reads=("src/**/*.entity.ts",)),
    _Tool(r".*data-?source.*\.[cm]?js", ("npm:typeorm", "migration:run", "-d", "{marker}"),
          wants=r"new DataSource\(", root="package.json", migrations=rf".*{_SCRIPT}"),
    _Tool(r"schema\.prisma", ("npm:prisma", "db", "push", "--schema", "{marker}"),
          wants=r'provider\s*=\s*"postgresql"', root="package.json", yields=True),
    _Tool(rf"drizzle\.config{_SCRIPT}", ("npm:drizzle-kit", "push", "--force", "--config", "{marker}"),
          wants=r"""dialect:\s*["']postgresql""", root="package.json", reads=("src/**/*.ts",), yields=True),
    _Tool(r"artisan", ("php", "artisan", "migrate", "--force"), migrations=r".*\.php",
          reads=("database/schema/*.sql",)),
    _Tool(r"composer\.json", ("php", "bin/console", "doctrine:migrations:migrate", "--no-interaction"),
          wants=r'"doctrine/doctrine-migrations-bundle"', migrations=r".*\.php"),
    _Tool(r"schema\.rb", ("bin/rails", "db:schema:load"), wants=r"ActiveRecord::Schema", above=1,
          env={"RAILS_ENV": "test"}, home="gems", yields=True),
    _Tool(r"mix\.exs", ("mix", "ecto.migrate"), wants=r":(?:ecto_sql|postgrex)\b", migrations=r".*\.exs",
          env={"MIX_ENV": "test"}, home="archives of Hex (MIX_HOME)", yields=True),
    _Tool(r"Cargo\.toml", ("cargo", "run", "--quiet", "--", "up"), wants=r"^sea-orm-migration\b",
          reads=("src/**/*.rs",), home="toolchains (CARGO_HOME, RUSTUP_HOME)"),
    _Tool(r"(?:db\.)?changelog[\w.-]*\.(?:xml|ya?ml|json)", ("liquibase", "--changelog-file", "{marker}", "update"),
          wants=r"databaseChangeLog", root="resources/", env=_JDBC,
          reads=("{folder}/**/*.sql", "{folder}/**/*.xml", "{folder}/**/*.y*ml", "{folder}/**/*.json")),
    _Tool(r".*ModelSnapshot\.cs", ("dotnet", "ef", "database", "update"), above=1, migrations=r".*\.cs",
          home="tools (DOTNET_CLI_HOME)"),
)  # fmt: skip


def other_program(found: Evidence, *, has_sql: bool) -> Migrator | None:
    """Return a project's program in another language, None if there is none.

    Args:
        found: What was found until now.
        has_sql: Files of SQL make the schema, too.
    """
    names = {name for _, files in walk(found.root) for name in files}
    for tool in _TOOLS:
        pattern = re.compile(tool.marker, re.IGNORECASE)
        named = [name for name in names if pattern.fullmatch(name)]
        for path in find_any(found.root, named) if not (has_sql and tool.yields) else ():
            if re.search(tool.wants, found.text(path), re.MULTILINE) and (made := _started(found, tool, path)):
                return made
    return None


def started_in(below: str, command: list[str]) -> list[str]:
    """Return a command that runs in a folder below the project's directory; "." is that itself."""
    return command if below == "." else ["sh", "-c", f'cd {shlex.quote(below)} && exec "$$@"', "sh", *command]


def _started(found: Evidence, tool: _Tool, marker: Path) -> Migrator | None:
    """Return how a tool is started; None: it has no migrations there."""
    directory = _directory(found.root, tool, marker)
    below = directory.relative_to(found.root).as_posix()
    shown = marker.relative_to(found.root).as_posix()
    folder = next(_migrations(found.root, directory, tool.migrations), "") if tool.migrations else ""
    if tool.migrations and not folder:
        return None
    place = posixpath.relpath(shown, below)
    words = [word.replace("{marker}", place) for word in tool.command]
    words[0] = _installed(found.root, directory, words[0])
    patterns = [pattern.replace("{folder}", posixpath.dirname(place) or ".") for pattern in tool.reads]
    reads = [posixpath.normpath(posixpath.join(below, pattern)) for pattern in patterns]
    inputs = [shown, *([folder] if folder else []), *(each for each in reads if _is_there(found.root, each))]
    return Migrator(started_in(below, words), inputs, folder, env=tool.env, home=tool.home)


def _directory(root: Path, tool: _Tool, marker: Path) -> Path:
    """Return where a tool is started."""
    for parent in marker.parents if tool.root else ():
        if (parent / tool.root).is_file() or tool.root == f"{parent.name}/":
            return parent
        if parent == root:
            return root
    above = marker.parents[tool.above]
    return above if above.is_relative_to(root) else root


def _migrations(root: Path, directory: Path, names: str) -> Iterator[str]:
    """Yield folders of migrations below a directory."""
    for here, files in walk(directory):
        if _FOLDER.fullmatch(here.name.lower()) and any(re.fullmatch(names, name) for name in files):
            yield here.relative_to(root).as_posix()


def _installed(root: Path, directory: Path, word: str) -> str:
    """Return the path of a program that npm installs, from the folder where it is started; other words as they are."""
    if not word.startswith("npm:"):
        return word
    path = f"node_modules/.bin/{word.removeprefix('npm:')}"
    places = [place for place in (directory, *directory.parents) if place.is_relative_to(root)]
    place = next((place for place in places if (place / path).exists()), directory)
    return posixpath.join(posixpath.relpath(place, directory), path).removeprefix("./")


def _is_there(root: Path, pattern: str) -> bool:
    return next(root.glob(pattern), None) is not None
