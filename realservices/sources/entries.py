"""A declaration as the entry of a manifest, which the launcher's side understands (contract/manifest.py)."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.sources.declarations import DEFAULT_PORTS, DEFAULT_URL
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.inputs import input_files, site_directories
from realservices.sources.missing import explain_uninstalled
from realservices.sources.package import projects_interpreter
from realservices.sources.programs import clickhouse_server, postgres_distribution, redis_server
from realservices.sources.recipes import clickhouse_recipe, postgres_recipe
from realservices.sources.references import parts_of
from realservices.sources.template_cache import ARCHIVE, BASE, INFO, template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from realservices.sources.declarations import Declaration
    from realservices.sources.recipes import Recipe

    Part = str | dict[str, str]

# The rules' defaults.
_DATABASE = _USER = "test"
_REDIS_DATABASES = 128
# Names of users and databases that the servers have themselves.
_TAKEN = {
    "clickhouse": ("default", "system", "information_schema"),
    "postgres": ("postgres", "template0", "template1"),
}
KINDS_WITH_TEMPLATES = tuple(_TAKEN)
"""Kinds whose data directory is built once, from what is declared."""
_READY_TIMEOUT_S, _GRACE_S = 60, 5.0
_OWN_PASSWORD = {"service": "", "field": "password"}
_READY = {"http": "path", "tcp": "ports", "log": "pattern"}


@contextlib.contextmanager
def entry_of(declaration: Declaration, all_declared: Mapping[str, Declaration]) -> Iterator[dict[str, Any]]:
    """Give a service's entry; paths in it start from the root directory. What they lead to stays until the end.

    Raises:
        RealServicesError: Something that it needs is not there.
    """
    with contextlib.ExitStack() as stack:
        if declaration.kind == "postgres":
            config = _postgres(declaration, stack)
        elif declaration.kind == "redis":
            config = _redis(declaration)
        elif declaration.kind == "clickhouse":
            config = _clickhouse(declaration, stack)
        else:
            config = _executable(declaration, all_declared)
        yield {
            "name": declaration.name,
            "kind": declaration.kind,
            "label": declaration.where,
            "needs": declaration.needs,
            "config": config,
            "made_of": _made_of(declaration, config),
        }


def _made_of(declaration: Declaration, config: Mapping[str, Any]) -> list[str]:
    """Return the files that a service runs on, nothing if that is not known: then it is never kept for later."""
    if declaration.kind == "postgres":
        return [f"/{config['distribution']}/bin/postgres", f"/{config['template']}"]
    if declaration.kind in ("redis", "clickhouse"):
        return [f"/{config[key]}" for key in ("server", "template") if key in config]
    program = f"/{config['program']}"
    if declaration.is_default:
        return [program]
    if not declaration.values.get("inputs"):
        return []
    return [program, *site_directories(Path(program)), *input_files(declaration)]


def _postgres(declaration: Declaration, stack: contextlib.ExitStack) -> dict[str, Any]:
    distribution = postgres_distribution()
    user, database = _account(declaration)
    recipe = postgres_recipe(declaration, distribution, user, database)
    directory = stack.enter_context(template(recipe, declaration.name))
    base = {"template_base": _from_root(directory / BASE)} if (directory / BASE).exists() else {}
    return {
        "distribution": _from_root(distribution),
        "template": _from_root(directory / ARCHIVE),
        **base,
        "template_info": _from_root(directory / INFO),
        "user": user,
        "database": database,
        "settings": _texts(declaration.values.get("settings", {})),
    }


def recipe_of(declaration: Declaration) -> Recipe:
    """Return how the template of a service of `KINDS_WITH_TEMPLATES` is made.

    Raises:
        RealServicesError: Something that it needs is not there.
    """
    if declaration.kind == "postgres":
        return postgres_recipe(declaration, postgres_distribution(), *_account(declaration))
    return clickhouse_recipe(declaration, clickhouse_server(), *_account(declaration))


def _redis(declaration: Declaration) -> dict[str, Any]:
    return {
        "server": _from_root(redis_server()),
        "databases": declaration.values.get("databases", _REDIS_DATABASES),
        "settings": _texts(declaration.values.get("settings", {})),
        "password": declaration.values.get("password", True),
    }


def _clickhouse(declaration: Declaration, stack: contextlib.ExitStack) -> dict[str, Any]:
    server = clickhouse_server()
    user, database = _account(declaration)
    directory = stack.enter_context(template(clickhouse_recipe(declaration, server, user, database), declaration.name))
    return {
        "server": _from_root(server),
        "template": _from_root(directory / ARCHIVE),
        "template_info": _from_root(directory / INFO),
        "user": user,
        "database": database,
        "settings": _texts(declaration.values.get("settings", {})),
        "server_settings": _texts(declaration.values.get("server_settings", {})),
        "local_dictionaries": declaration.values.get("local_dictionaries", False),
    }


def _account(declaration: Declaration) -> tuple[str, str]:
    """Return user and database of a service."""
    taken = _TAKEN[declaration.kind]
    user, database = declaration.values.get("user", _USER), declaration.values.get("database", _DATABASE)
    for key, name in (("user", user), ("database", database)):
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) or name in taken:
            raise SettingError(
                f"{declaration.where}: {key} = {name!r}; it is lower-case letters, digits and '_', and not "
                f"{', '.join(taken)}"
            )
    return user, database


def _executable(declaration: Declaration, all_declared: Mapping[str, Declaration]) -> dict[str, Any]:
    values = declaration.values
    if declaration.is_default and importlib.util.find_spec("websockets") is None:
        raise MissingServiceError("websocket", explain_uninstalled("websocket"))
    command = [part.replace("{python}", projects_interpreter()) for part in values.get("command", ())]
    if not command:
        raise SettingError(f"{declaration.where}: command is missing; it is a list of a program and its arguments")
    program = Path(shutil.which(command[0]) or declaration.root / command[0])
    if not os.path.exists(program):  # noqa: PTH110 - of a name that is too long, `Path` makes an error
        raise SettingError(
            f"{declaration.where}: command starts with {command[0]!r}, which is neither on PATH nor in "
            f"{declaration.root}"
        )
    ports = values.get("ports", list(DEFAULT_PORTS))

    def parts(key: str, text: Any) -> list[Part]:
        where = f"{declaration.where}: {key}"
        return parts_of(where, str(text), needs=declaration.needs, ports=ports, declared=all_declared)

    env = {name: parts(f"env {name}", text) for name, text in values.get("env", {}).items()}
    url = parts("url", values.get("url", DEFAULT_URL if ports else ""))
    return {
        # Not resolved: a virtual environment's interpreter knows it by its own path.
        "program": str(program.absolute()).removeprefix("/"),
        "args": [parts("command", text) for text in command[1:]],
        # Where a developer stands who starts it by hand: modules and files are found from there.
        "cwd": str(declaration.root),
        "env": env,
        "password": any(_OWN_PASSWORD in text for text in (*env.values(), url)),
        "ports": ports,
        "url": url,
        "websocket_url": parts("websocket_url", values.get("websocket_url", "")),
        "ready": _ready(declaration, ports),
        "ready_timeout_s": values.get("ready_timeout_s", _READY_TIMEOUT_S),
        "stop_signal": values.get("stop_signal", "SIGTERM"),
        "grace_s": values.get("grace_s", _GRACE_S),
    }


def _ready(declaration: Declaration, ports: list[str]) -> dict[str, Any]:
    kind, value = next(iter(declaration.values.get("ready", {"tcp": ports}).items()))
    more: dict[str, Any] = {"port": ports[0], "status": [[200, 399]]} if kind == "http" else {}
    return {"type": kind, _READY[kind]: value, **more}


def _texts(settings: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


def _from_root(path: Path) -> str:
    return str(path.resolve()).removeprefix("/")
