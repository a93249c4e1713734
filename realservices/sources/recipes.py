"""What a template is made from: the template tool's command, and a digest of all that it stands for.

The digest is the template's name in the cache (template_cache.py): whatever changes what comes out must change it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import realservices
from realservices.sources.migrators import made_of_migrators, migrate_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.sources.declarations import Declaration

# A template holds what these make of it: with another one of them it is another template.
_MIGRATOR_MAKERS = ("migrators.py", "migrator_process.py")
POSTGRES_MAKERS = (
    *_MIGRATOR_MAKERS,
    "postgres_template.py",
    "postgres_archive.py",
    "postgres_cluster.py",
    "postgres_migrators.py",
    "postgres_settings.py",
)
CLICKHOUSE_MAKERS = (
    *_MIGRATOR_MAKERS,
    "clickhouse_template.py",
    "clickhouse_migrators.py",
    "clickhouse_replay.py",
    "clickhouse_config.py",
    "clickhouse_archive.py",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a template.

    Attributes:
        command: Tool and arguments, without those that say where the outputs go.
        digest: Of everything that the template is made from.
    """

    command: list[str]
    digest: str


def postgres_recipe(declaration: Declaration, distribution: Path, user: str, database: str) -> Recipe:
    """Return the recipe of a PostgreSQL template.

    Raises:
        SettingError: A file is not there.
    """
    arguments = ["--distribution", str(distribution), "--database", database, "--user", user]
    files = {"migrations": "--migration", "seeds": "--seed"}
    for extension in declaration.values.get("extensions", ()):
        arguments += ["--extension", extension]
    arguments += _settings(declaration, "settings", "--setting")
    program = distribution / "bin" / "postgres"
    return _recipe("template", declaration, arguments, files, program, POSTGRES_MAKERS)


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
        for file in declaration.files(key):
            command += [option, f"{os.path.relpath(file, declaration.root)}={file}"]
            contents.append(hashlib.sha256(file.read_bytes()).hexdigest())
    spec = migrate_spec(declaration)
    if spec:
        command += ["--migrate", json.dumps(spec)]
        contents += made_of_migrators(declaration, spec)
    status = program.stat()
    made_of = [command, contents, status.st_size, status.st_mtime_ns, realservices.__version__, _digests(makers)]
    return Recipe(command, hashlib.sha256(json.dumps(made_of).encode()).hexdigest())


def _digests(makers: tuple[str, ...]) -> list[str]:
    directory = Path(realservices.__file__).parent / "services"
    if not directory.is_dir():
        return []
    return [hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in makers]
