"""What a project declares in `migrate`: its own programs or functions that make the schema, as the tools run them.

The words are those of realservices/services/migrator_runs.py, which this describes them for.
"""

from __future__ import annotations

import hashlib
import os
import pkgutil
import re
import shutil
import site
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.kinds.registry import find
from realservices.sources.errors import SettingError
from realservices.sources.inputs import input_files, installed_packages
from realservices.sources.package import projects_interpreter
from realservices.sources.references import split

if TYPE_CHECKING:
    from realservices.sources.declarations import Declaration

_TIMEOUT_S = 300
# What the project's programs are found and loaded by. Everything else that they need is declared.
_INHERITED = ("PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONUSERBASE")
_KEYS = ("migrate_env", "migrate_timeout_s")
_PUBLIC = ("host", "port", "user", "database", "socket")
_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\)|)")


def check_migrate(declaration: Declaration) -> None:
    """Check what a declaration says of its migrators.

    Raises:
        SettingError: It has none of what they need, or refers to what there is not.
    """
    values = declaration.values
    if not values.get("migrate"):
        alone = [key for key in _KEYS if key in values and find(declaration.kind).migrator_fields]
        if alone:
            raise SettingError(
                f"{declaration.where}: {alone[0]} = {values[alone[0]]!r} without migrate, which it is for; add "
                f"migrate, or take out {alone[0]}"
            )
        return
    if not values.get("inputs"):
        raise SettingError(
            f"{declaration.where}: migrate = {values['migrate']!r} needs inputs: the schema is built once and kept "
            "until a file that it is made of changes, and nobody but you knows which files the commands read; name all "
            'of them: inputs = ["alembic.ini", "migrations/**/*.py", "app/models.py"]'
        )
    _encoded(declaration)


def migrate_spec(declaration: Declaration) -> dict[str, Any]:
    """Return what runs; empty if nothing does.

    Raises:
        SettingError: A program is not there.
    """
    if not declaration.values.get("migrate"):
        return {}
    env, commands = _encoded(declaration)
    return {
        "env": _inherited() | env,
        "timeout_s": declaration.values.get("migrate_timeout_s", _TIMEOUT_S),
        "migrators": [
            {
                "name": repr(declared),
                "program": _program(declaration, command[0]),
                "args": command[1:],
                "cwd": str(declaration.root),
            }
            for declared, command in zip(declaration.values["migrate"], commands, strict=True)
        ],
    }


def made_of_migrators(declaration: Declaration, spec: dict[str, Any]) -> list[str]:
    """Return what migrators make a schema of: the files that are declared, the programs, and what is installed.

    Raises:
        SettingError: A pattern of ``inputs`` matches nothing.
    """
    files = [f"{path} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}" for path in input_files(declaration)]
    programs = [Path(each["program"]) for each in spec["migrators"]]
    states = [f"{status.st_size} {status.st_mtime_ns}" for status in map(Path.stat, programs)]
    return [*files, *states, *(name for program in programs for name in installed_packages(program))]


def _inherited() -> dict[str, list[Any]]:
    own = {name: [os.environ[name]] for name in _INHERITED if os.environ.get(name)}
    if (
        site.ENABLE_USER_SITE
    ):  # Else Python looks in the migrator's own HOME for what `pip install --user` has put there.
        own.setdefault("PYTHONUSERBASE", [site.getuserbase()])
    return own


def _encoded(declaration: Declaration) -> tuple[dict[str, list[Any]], list[list[Any]]]:
    """Return environment and commands with their references, a command's first word as text."""
    env = {
        name: _parts(declaration, f"migrate_env {name}", str(value))
        for name, value in declaration.values.get("migrate_env", {}).items()
    }
    commands: list[list[Any]] = []
    for declared in declaration.values["migrate"]:
        if isinstance(declared, str):
            source = pkgutil.get_data(__name__, "migrator_function.py")
            assert source is not None
            commands.append([projects_interpreter(), ["-c"], [source.decode()], [declared]])
            continue
        first, *others = (word.replace("{python}", projects_interpreter()) for word in declared)
        commands.append([first, *(_parts(declaration, "migrate", word, is_public=True) for word in others)])
    return env, commands


def _program(declaration: Declaration, word: str) -> str:
    found = shutil.which(word) or str(declaration.root / word)
    if not os.access(found, os.X_OK) or Path(found).is_dir():
        raise SettingError(
            f"{declaration.where}: migrate starts with {word!r}, which is no program on PATH and none in "
            f"{declaration.root}; install it, or give its path from there"
        )
    return str(Path(found).absolute())


def _parts(declaration: Declaration, key: str, text: str, *, is_public: bool = False) -> list[Any]:
    """Split a text at its references to the server: $(url psycopg), $(host), $(port tcp)."""
    return split(text, _REFERENCE, lambda match: _reference(declaration, key, match, is_public=is_public))


def _reference(declaration: Declaration, key: str, match: re.Match[str], *, is_public: bool) -> dict[str, str]:
    word, _, extra = (match[1] or "").strip().partition(" ")
    # What may follow a word, and what that is called in a manifest.
    kind = find(declaration.kind)
    extras = {"port": ("port", kind.port_names), "url": ("driver", tuple(kind.url_forms))}
    name, allowed = extras.get(word, ("", ()))
    if word not in kind.migrator_fields or (extra and extra not in allowed):
        fields = [f"$({field})" for field in kind.migrator_fields]
        more = [f"$({field} {value})" for field, (_, values) in extras.items() for value in values]
        raise SettingError(
            f"{declaration.where}: {key}: {match.group()} in {match.string!r} is nothing of the server that is "
            f"migrated; there are {', '.join([*fields, *more])}, and $$ for a dollar sign"
        )
    if is_public and word not in _PUBLIC:
        raise SettingError(
            f"{declaration.where}: {key}: every user of the machine could read {match.group()} in {match.string!r}; "
            "put it into migrate_env. Programs take the password from PGPASSWORD with a URL without it: "
            "postgresql://$(user)@$(host):$(port)/$(database)"
        )
    return {"service": "", "field": word} | ({name: extra} if extra else {})
