"""What a project declares for plain pytest: `[tool.realservices]` in its pyproject.toml, or a realservices.toml.

The words are those of the Bazel rules. What is declared here becomes the same entries that a rule writes into a test's
manifest, so the same launcher code runs them.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realservices.sources.errors import SettingError
from realservices.sources.package import package_command
from realservices.sources.server_settings import check_server_settings
from realservices.sources.source import protocols

_FILES = {"realservices.toml": (), "pyproject.toml": ("tool", "realservices")}
_MARK = "realservices"
_TEXT, _TEXTS, _NUMBER, _TABLE = (str, "a text"), (list, "a list of texts"), (int, "a number"), (dict, "a table")
# Keys of every kind.
_ALL_KINDS = {"fixed_ports": _TABLE}
KEYS: dict[str, dict[str, tuple[type, str]]] = {
    "postgres": {
        "migrations": _TEXTS,
        "seeds": _TEXTS,
        "extensions": _TEXTS,
        "settings": _TABLE,
        "database": _TEXT,
        "user": _TEXT,
        **_ALL_KINDS,
    },
    "clickhouse": {
        "schema": _TEXTS,
        "seeds": _TEXTS,
        "settings": _TABLE,
        "server_settings": _TABLE,
        "local_dictionaries": (bool, "true or false"),
        "database": _TEXT,
        "user": _TEXT,
        **_ALL_KINDS,
    },
    "redis": {"databases": _NUMBER, "settings": _TABLE, **_ALL_KINDS},
    "executable": {
        "command": _TEXTS,
        "env": _TABLE,
        "ports": _TEXTS,
        "url": _TEXT,
        "websocket_url": _TEXT,
        "ready": _TABLE,
        "ready_timeout_s": _NUMBER,
        "stop_signal": _TEXT,
        "grace_s": _NUMBER,
        "services": _TEXTS,
        "inputs": _TEXTS,
        **_ALL_KINDS,
    },
}
_SERVER_SETTINGS = ("settings", "server_settings")
DEFAULT_PORTS = ("http",)
DEFAULT_URL = "http://$(host):$(port)"
# What a session has without any declaration: kinds of databases, and a server to speak WebSocket with.
DEFAULTS = ("postgres", "redis", "clickhouse")
_RELAY = "websocket_relay"
_ISOLATIONS = ("transaction", "database")
_SETTINGS: dict[str, tuple[type, str]] = {"warm": (bool, "true or false"), "warm_idle_s": _NUMBER}


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared service.

    Attributes:
        name, kind: As declared.
        where: File and table, for messages.
        root: The directory that relative paths start from.
        values: The table's other keys.
        is_default: Nobody has declared it.
    """

    name: str
    kind: str
    where: str
    root: Path
    values: dict[str, Any] = field(default_factory=dict)
    is_default: bool = False

    @property
    def needs(self) -> list[str]:
        """Names of the services that it needs directly."""
        return list(self.values.get("services", ()))

    @property
    def port_names(self) -> list[str]:
        """Names of its ports, the main one first."""
        names = {"executable": self.values.get("ports", DEFAULT_PORTS), "clickhouse": ("http", "tcp")}
        return list(names.get(self.kind, (self.kind,)))

    @property
    def speaks(self) -> list[str]:
        """What a test can speak with it, if it is a server of the project's own."""
        if self.kind != "executable":
            return []
        url = self.values.get("url", DEFAULT_URL if self.values.get("ports", DEFAULT_PORTS) else "")
        return protocols(url, self.values.get("websocket_url", ""))

    def files(self, key: str) -> list[Path]:
        """Return the files that a key's patterns name, each pattern's in alphabetical order.

        Raises:
            SettingError: A pattern matches nothing.
        """
        found: list[Path] = []
        for pattern in self.values.get(key, ()):
            matches = sorted(self.root.glob(pattern))
            if not matches:
                raise SettingError(f"{self.where}: {key} = {pattern!r} matches no file below {self.root}")
            found += matches
        return found


@dataclass(frozen=True, slots=True)
class Project:
    """What a project says.

    Attributes:
        services: By name, in the order of declaration; the kinds that nobody declares come with their defaults.
        isolation: What `isolated_database` is.
        warm: Whether services are kept for the next session.
        warm_idle_s: How long they wait for it.
    """

    services: dict[str, Declaration]
    isolation: str = "transaction"
    warm: bool = False
    warm_idle_s: float = 600.0


def read_project(root: Path) -> Project:
    """Read a project's declarations.

    Args:
        root: The directory of the project's configuration.

    Raises:
        SettingError: A file is damaged, or a key, a kind or a value is not one of those that there are.
    """
    path, content = _read(root)
    declared = {name: _declaration(path, name, table) for name, table in _services(path, content).items()}
    for declaration in declared.values():
        _check_needs(declaration, declared)
    kinds = {declaration.kind for declaration in declared.values()}
    for kind in DEFAULTS:
        if kind not in kinds and kind not in declared:
            declared[kind] = Declaration(kind, kind, "the default", root, is_default=True)
    if not any("websocket" in declaration.speaks for declaration in declared.values()):
        declared.setdefault(_RELAY, _relay(root))
    isolation = content.get("isolation", _ISOLATIONS[0])
    if isolation not in _ISOLATIONS:
        raise SettingError(f"{path}: isolation = {isolation!r}; it is one of {', '.join(_ISOLATIONS)}")
    settings = {}
    for key, (expected, words) in _SETTINGS.items():
        if key in content:
            settings[key] = content[key]
            _check_type(str(path), key, content[key], expected, words)
    project = Project(declared, isolation, **settings)
    if not 0 < project.warm_idle_s < math.inf:
        raise SettingError(
            f"{path}: warm_idle_s = {project.warm_idle_s}; it is a number of seconds above 0 "
            "(`warm = false` keeps nothing)"
        )
    return project


def _relay(root: Path) -> Declaration:
    """Return the package's own relay, run as its other tools are: it need not be importable from anywhere."""
    run = package_command("program", f"programs.{_RELAY}", os.pathsep.join(sys.path))
    values = {
        "command": [*run, "--port", "$(port)"],
        "ready": {"http": "/health"},
        "url": "ws://$(host):$(port)",
        "websocket_url": "ws://$(host):$(port)",
    }
    return Declaration(_RELAY, "executable", "the default", root, values, is_default=True)


def _read(root: Path) -> tuple[Path, dict[str, Any]]:
    for name, keys in _FILES.items():
        path = root / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if _MARK not in text and keys:
            continue
        import tomllib  # noqa: PLC0415 - most projects need none of this

        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingError(f"{path}: {error}") from None
        for key in keys:
            content = content.get(key, {})
            _check_type(str(path), key, content, *_TABLE)
        return path, content
    return root, {}


def _services(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    known = ("services", "isolation", *_SETTINGS)
    for key in content:
        if key not in known:
            raise SettingError(f"{path}: unknown key {key!r}; there are {', '.join(known)}")
    services: dict[str, Any] = content.get("services", {})
    _check_type(str(path), "services", services, *_TABLE)
    return services


def _declaration(path: Path, name: str, table: Any) -> Declaration:
    where = f"{path}: service {name!r}"
    if not isinstance(table, dict) or table.get("kind") not in KEYS:
        kind = table.get("kind") if isinstance(table, dict) else table
        raise SettingError(f"{where}: kind = {kind!r}; it is one of {', '.join(KEYS)}")
    if not (name.isascii() and name.replace("_", "").replace("-", "").isalnum()):
        raise SettingError(f"{where}: a name consists of letters, digits, '_' and '-'")
    keys = KEYS[table["kind"]]
    for key, value in table.items():
        if key != "kind":
            _check(where, key, value, keys)
            if key in _SERVER_SETTINGS:
                check_server_settings(where, table["kind"], key, value)
    values = {key: value for key, value in table.items() if key != "kind"}
    return Declaration(name, table["kind"], where, path.parent, values)


def _check(where: str, key: str, value: Any, keys: dict[str, tuple[type, str]]) -> None:
    if key not in keys:
        raise SettingError(f"{where}: unknown key {key!r}; there are {', '.join(keys)}")
    _check_type(where, key, value, *keys[key])


def _check_type(where: str, key: str, value: Any, expected: type, words: str) -> None:
    is_list_of_others = (
        expected is list and isinstance(value, list) and not all(isinstance(each, str) for each in value)
    )
    is_number = expected is int and isinstance(value, float)
    if (
        (not isinstance(value, expected) and not is_number)
        or (isinstance(value, bool) and expected is not bool)
        or is_list_of_others
    ):
        raise SettingError(f"{where}: {key} = {value!r}; it is {words}")


def _check_needs(declaration: Declaration, declared: dict[str, Declaration]) -> None:
    waiting, seen = list(declaration.needs), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in declared:
            raise SettingError(
                f"{declaration.where}: services names {name!r}, which is not declared; there are {', '.join(declared)}"
            )
        if name == declaration.name:
            raise SettingError(f"{declaration.where}: it needs itself, by way of services = {declaration.needs}")
        if name not in seen:
            seen.add(name)
            waiting += declared[name].needs
