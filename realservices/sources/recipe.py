"""What a template is made from: the template tool's command, and a digest of all that it stands for.

The digest is the template's name in the cache (built_templates.py): whatever changes what comes out must change it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import realservices
from realservices.schema.layers import last_cut
from realservices.sources.declared_migrators import made_of_migrators, migrate_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from realservices.sources.declarations import Declaration

# Of a kind's folder; the first is itself.
_MAKERS = ("", "server", "template")
# The command that builds one.
_TOOL = "template"


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
        base: Of the template that all of them begin from: the declared one, else an empty one.
    """

    common: list[str]
    files: list[str]
    seeds: list[str]
    digests: list[str]
    directory: Path
    base: Recipe

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
        applied = options("--applied", self.files[:base])
        return [*self.common, *applied, *options("--migration", self.files[base:count])]

    def last_command(self, base: int) -> list[str]:
        """Return the command for all migrations and seeds, likewise."""
        return [*self.command(base, len(self.files)), *self.seeds]


def settings_options(declaration: Declaration, key: str, option: str) -> list[str]:
    """Return the options that tell the tool the settings of a key."""
    found = declaration.values.get(key, {}).items()
    return [word for name, value in found for word in (option, f"{name}={value}")]


def recipe_of(
    declaration: Declaration,
    arguments: list[str],
    files: Mapping[str, str],
    program: Path,
) -> Recipe:
    """Return a recipe without layers.

    Args:
        declaration: What declares the service.
        arguments: The tool's, without files.
        files: The tool's option for the files of each key.
        program: The server.

    Raises:
        SettingError: A file is not there.
    """
    command = ["build", declaration.kind, _TOOL, "--label", declaration.where, *arguments]
    contents: list[str] = []
    for key, option in files.items():
        named = declaration.named_files(key)
        command += options(option, joined(named))
        contents += [file_digest(Path(path)) for _, path in named]
    migrators, made_of = migrators_of(declaration)
    command += migrators
    contents += made_of
    return Recipe(command, hash_of([command, contents, made_by(program, declaration.kind)]), declaration.root)


def migrators_of(declaration: Declaration) -> tuple[list[str], list[str]]:
    """Return the options for a project's migrators, and what they make a schema of."""
    spec = migrate_spec(declaration)
    return (["--migrate", json.dumps(spec)], made_of_migrators(declaration, spec)) if spec else ([], [])


def joined(named: Sequence[tuple[str, str]]) -> list[str]:
    """Return files as the tool takes them: NAME=PATH."""
    return [f"{shown}={path}" for shown, path in named]


def options(option: str, values: Sequence[str]) -> list[str]:
    """Return an option once for each value."""
    return [word for value in values for word in (option, value)]


def file_digest(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(value: object) -> str:
    """Return the digest of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def made_by(program: Path, kind: str) -> list[object]:
    """Return what is known of the programs that make a template: with another one of them it is another template."""
    status = program.stat()
    package = Path(realservices.__file__).parent
    folders = [package / "services", package / "schema", *(package / "kinds" / kind / part for part in _MAKERS)]
    digests = [file_digest(path) for folder in folders for path in sorted(folder.glob("*.py"))]
    return [status.st_size, status.st_mtime_ns, realservices.__version__, digests]
