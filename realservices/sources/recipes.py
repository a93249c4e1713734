"""What a template is made from: the template tool's command, and a digest of all that it stands for.

The digest is the template's name in the cache (template_cache.py): whatever changes what comes out must change it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import realservices
from realservices.contract.errors import TemplateError
from realservices.schema.arrange import arrange
from realservices.schema.layers import last_cut
from realservices.sources.included import included_files
from realservices.sources.migrators import made_of_migrators, migrate_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from realservices.sources.declarations import Declaration

# A template holds what these make of it: with another one of them it is another template.
_MIGRATOR_MAKERS = ("migrators.py", "migrator_process.py")
POSTGRES_MAKERS = (
    *_MIGRATOR_MAKERS,
    "postgres_template.py",
    "postgres_archive.py",
    "postgres_base.py",
    "postgres_cluster.py",
    "postgres_contents.py",
    "postgres_control.py",
    "postgres_copies.py",
    "postgres_ledgers.py",
    "postgres_locale.py",
    "postgres_migrators.py",
    "postgres_settings.py",
    "postgres_statistics.py",
)
CLICKHOUSE_MAKERS = (
    *_MIGRATOR_MAKERS,
    "clickhouse_template.py",
    "clickhouse_migrators.py",
    "clickhouse_replay.py",
    "clickhouse_config.py",
    "clickhouse_archive.py",
    "clickhouse_identifiers.py",
    "clickhouse_parts.py",
)

_LOCALE = {"locale": "--locale", "locale_provider": "--locale-provider"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a template.

    Attributes:
        command: Tool and arguments, without those that say where the outputs go.
        digest: Of everything that the template is made from.
        directory: Where the command is run: relative paths in psql's commands start from there.
        layers: What it can begin from.
    """

    command: list[str]
    digest: str
    directory: Path
    layers: Layers | None = None


@dataclass(frozen=True, slots=True)
class Layers:
    """Templates with fewer migrations, one for each number of them, that another one can begin from.

    Attributes:
        common: The command without files.
        files: The migrations in the order in which they are applied, as the tool wants them.
        seeds: The end of the last template's command: migrators and seeds.
        digests: Of the templates with so many migrations and no seeds.
        directory: As of the recipe.
        base: Of the template that all of them begin from.
    """

    common: list[str]
    files: list[str]
    seeds: list[str]
    digests: list[str]
    directory: Path
    base: Recipe | None = None

    @property
    def cut(self) -> int:
        """How many migrations the one has that is made, if there is none with more."""
        return last_cut(len(self.files), has_seeds=bool(self.seeds))

    @property
    def candidates(self) -> Iterator[int]:
        """Numbers of migrations of templates worth looking for, the best first."""
        return iter(range(len(self.files) - (not self.seeds), self.cut, -1))

    def recipe(self, count: int) -> Recipe:
        """Return the recipe of the template with so many migrations."""
        rest = replace(self, files=self.files[:count], seeds=[], digests=self.digests[: count + 1])
        return Recipe(self.command(0, count), self.digests[count], self.directory, rest)

    def command(self, base: int, count: int) -> list[str]:
        """Return the command for so many migrations, of which a base has the first ones."""
        applied = _options("--applied", self.files[:base])
        return [*self.common, *applied, *_options("--migration", self.files[base:count])]

    def last_command(self, base: int) -> list[str]:
        """Return the command for all migrations and seeds, likewise."""
        return [*self.command(base, len(self.files)), *self.seeds]


def postgres_recipe(declaration: Declaration, distribution: Path, user: str, database: str) -> Recipe:
    """Return the recipe of a PostgreSQL template.

    Raises:
        SettingError: A file is not there, or what psql includes cannot be told.
        TemplateError: Files are a tool's, and not what the layout says.
    """
    layout = declaration.values.get("layout", "")
    common = _common(declaration, distribution, user, database)
    migrations, seeds = map(declaration.named_files, ("migrations", "seeds"))
    try:
        scripts = arrange(layout, migrations, seeds)
    except TemplateError as error:
        raise TemplateError(f"{declaration.where}: {error}") from None
    contents = {path: _content(declaration, path) for _, path in (*migrations, *seeds)}
    base = postgres_recipe(declaration.base, distribution, user, database) if declaration.base else None
    makers = _made_by(distribution / "bin" / "postgres", POSTGRES_MAKERS)
    digest = _hash([common, _inputs(declaration), makers, base.digest if base else ""])
    digests = [digest]
    ordered = [script for script in scripts if script.kind == "migration"]
    for script in ordered:
        digests.append(digest := _hash([digest, script.shown, contents[script.path]]))
    migrators, made_of = _migrators(declaration)
    last = [*migrators, *_options("--seed", _joined(seeds))]
    if last:
        digest = _hash([digest, migrators, made_of, [(shown, contents[path]) for shown, path in seeds]])
    if layout == "sqitch":
        # Its plan names all scripts, so that it cannot be applied in parts.
        last = [*_options("--migration", _joined(migrations)), *last]
        digest, digests, ordered = _hash([digest, [contents[path] for _, path in migrations]]), digests[:1], []
    files = _joined([(script.shown, script.path) for script in ordered])
    layers = Layers(common, files, last, digests, declaration.root, base)
    return Recipe(layers.last_command(0), digest, declaration.root, layers)


def _common(declaration: Declaration, distribution: Path, user: str, database: str) -> list[str]:
    """Return the command without files."""
    layout = declaration.values.get("layout", "")
    common = ["template", "--progress", "--label", declaration.where]
    common += ["--distribution", str(distribution.absolute()), "--database", database, "--user", user]
    for extension in declaration.values.get("extensions", ()):
        common += ["--extension", extension]
    for key, option in _LOCALE.items():
        if key in declaration.values:
            common += [option, declaration.values[key]]
    return [*common, *_settings(declaration, "settings", "--setting"), *(("--layout", layout) if layout else ())]


def clickhouse_recipe(declaration: Declaration, server: Path, user: str, database: str) -> Recipe:
    """Return the recipe of a ClickHouse template.

    Raises:
        SettingError: A file is not there.
    """
    arguments = ["--server", str(server), "--database", database, "--user", user]
    arguments += _settings(declaration, "settings", "--setting")
    arguments += _settings(declaration, "server_settings", "--server-setting")
    files = {"schema": "--schema", "seeds": "--seed"}
    return _recipe("clickhouse-template", declaration, arguments, files, server, CLICKHOUSE_MAKERS)


def _settings(declaration: Declaration, key: str, option: str) -> list[str]:
    found = declaration.values.get(key, {}).items()
    return [word for name, value in found for word in (option, f"{name}={value}")]


def _recipe(
    tool: str,
    declaration: Declaration,
    arguments: list[str],
    files: Mapping[str, str],
    program: Path,
    makers: tuple[str, ...],
) -> Recipe:
    command = [tool, "--label", declaration.where, *arguments]
    contents: list[str] = []
    for key, option in files.items():
        named = declaration.named_files(key)
        command += _options(option, _joined(named))
        contents += [_digest(Path(path)) for _, path in named]
    migrators, made_of = _migrators(declaration)
    command += migrators
    contents += made_of
    return Recipe(command, _hash([command, contents, _made_by(program, makers)]), declaration.root)


def _migrators(declaration: Declaration) -> tuple[list[str], list[str]]:
    """Return the options for a project's migrators, and what they make a schema of."""
    spec = migrate_spec(declaration)
    return (["--migrate", json.dumps(spec)], made_of_migrators(declaration, spec)) if spec else ([], [])


def _joined(named: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{shown}={path}" for shown, path in named]


def _options(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _inputs(declaration: Declaration) -> list[str]:
    """Return digests of the files that the key `inputs` names, also of those in directories that it names."""
    named = [path for found in declaration.files("inputs") for path in (found, *sorted(found.rglob("*")))]
    return [_digest(path) for path in named if path.is_file()]


def _content(declaration: Declaration, path: str) -> list[str]:
    """Return digests of a file and of what it includes."""
    return [_digest(each) for each in (Path(path), *included_files(declaration, Path(path)))]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _made_by(program: Path, makers: tuple[str, ...]) -> list[object]:
    status = program.stat()
    package = Path(realservices.__file__).parent
    directory = package / "services"
    sources = [directory / name for name in makers] + sorted((package / "schema").glob("*.py"))
    digests = [_digest(path) for path in sources] if directory.is_dir() else []
    return [status.st_size, status.st_mtime_ns, realservices.__version__, digests]
