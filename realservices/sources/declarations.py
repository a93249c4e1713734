"""What a project declares for plain pytest: `[tool.realservices]` in its pyproject.toml, or a realservices.toml.

The words are those of the Bazel rules. What is declared here becomes the same entries that a rule writes into a test's
manifest, so the same launcher code runs them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.contract.manifest_shapes import is_service_name
from realservices.contract.shapes import Only, ShapeError, UnknownKeyError, check
from realservices.kinds import registry
from realservices.sources.base_templates import with_bases
from realservices.sources.declaration_shapes import PROJECT
from realservices.sources.declared_kind import declared_kind
from realservices.sources.declared_migrators import check_migrate
from realservices.sources.errors import SettingError
from realservices.sources.package import package_command
from realservices.sources.patterns import matches
from realservices.sources.references import parts_of
from realservices.sources.server_settings import check_server_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.sources.references import Part

_FILES = {"realservices.toml": (), "pyproject.toml": ("tool", "realservices")}
_MARK = "realservices"
_SERVER_SETTINGS = ("settings", "server_settings")
_RELAY = "websocket_relay"
# Of a project's own settings.
_SETTINGS = ("isolation", "warm", "warm_idle_s")


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared service.

    Attributes:
        name, kind: As declared.
        where: File and table, for messages.
        root: The directory that relative paths start from.
        values: The table's other keys.
        is_default: It is not declared.
        base: The service whose schema and data it begins with.
    """

    name: str
    kind: str
    where: str
    root: Path
    values: dict[str, Any] = field(default_factory=dict)
    is_default: bool = False
    base: Declaration | None = None

    @property
    def needs(self) -> list[str]:
        """Names of the services that it needs directly."""
        return list(self.values.get("services", ()))

    @property
    def port_names(self) -> list[str]:
        """Names of its ports, the main one first."""
        return list(declared_kind(self.kind).port_names(self))

    @property
    def speaks(self) -> list[str]:
        """What a test can speak with it, if it is a server of the project's own."""
        return declared_kind(self.kind).speaks(self)

    def files(self, key: str) -> list[Path]:
        """Return the files that a key's patterns name, each pattern's in alphabetical order.

        Raises:
            SettingError: A pattern matches nothing.
        """
        # A file that two patterns name is one file, as in a glob of Bazel's.
        found: dict[Path, None] = {}
        for pattern in self.values.get(key, ()):
            try:
                named = matches(self.root, pattern)
            except (OSError, ValueError, NotImplementedError, RuntimeError) as error:
                raise SettingError(f"{self.where}: {key} = {pattern!r} cannot be looked for: {error}") from None
            if not named:
                raise SettingError(f"{self.where}: {key} = {pattern!r} matches no file below {self.root}")
            found |= dict.fromkeys(named)
        return [*found]

    def sql_files(self, key: str) -> list[Path]:
        """Return the same, without the directories that a pattern matches beside files.

        Raises:
            SettingError: A pattern matches nothing, a name is one of a directory, or a link leads nowhere.
        """
        found = self.files(key)
        for path in found:
            shown = os.path.relpath(path, self.root)
            if path.is_dir() and shown in map(os.path.normpath, self.values[key]):
                raise SettingError(
                    f"{self.where}: {key} = {shown!r} is a directory: name the files in it, "
                    f"{shown + '/*.sql'!r} for instance"
                )
            if path.is_symlink() and not path.exists():
                raise SettingError(
                    f"{self.where}: {key}: {path} is a link to {str(path.readlink())!r}, which is not there: mend the "
                    "link, or remove it"
                )
        return [path for path in found if not path.is_dir()]

    def named_files(self, key: str) -> list[tuple[str, str]]:
        """Return the same as pairs: what a file is called in messages, and its path."""
        return [(os.path.relpath(file, self.root), str(file)) for file in self.sql_files(key)]


@dataclass(frozen=True, slots=True)
class Project:
    """What a project says.

    Attributes:
        services: By name, in the order of declaration; the kinds that are not declared come with their defaults.
        env: Variables of the project's own, as parts of a manifest (contract/environment.py).
        isolation: What `isolated_database` is.
        warm: Whether services are kept for the next session.
        warm_idle_s: How long they wait for it.
    """

    services: dict[str, Declaration]
    env: dict[str, list[Part]] = field(default_factory=dict)
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
    _check(str(path), content, PROJECT)
    declared = {name: _declaration(path, name, table) for name, table in content.get("services", {}).items()}
    for declaration in declared.values():
        _check_needs(declaration, declared)
    declared = with_bases(declared)
    kinds = {declaration.kind for declaration in declared.values()}
    for kind in registry.names():
        if registry.find(kind).is_default and kind not in kinds and kind not in declared:
            declared[kind] = Declaration(kind, kind, "the default", root, is_default=True)
    if not any("websocket" in declaration.speaks for declaration in declared.values()):
        declared.setdefault(_RELAY, _relay(root))
    env = {
        name: parts_of(f"{path}: env {name}", str(text), needs=declared, ports=None, declared=declared)
        for name, text in content.get("env", {}).items()
    }
    return Project(declared, env, **{key: content[key] for key in _SETTINGS if key in content})


def declared_in(root: Path) -> Path | None:
    """Return the file of a directory that declares something, if there is one.

    Raises:
        SettingError: A file is damaged.
    """
    path, content = _read(root)
    return path if content else None


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
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SettingError(f"{path} is not UTF-8, as TOML is: {error.reason} at byte {error.start}") from None
        except OSError as error:
            raise SettingError(f"{path} cannot be read: {error.strerror}") from None
        if _MARK not in text and keys:
            continue
        return path, _table(path, text, keys)
    return root, {}


def _table(path: Path, text: str, keys: Sequence[str]) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most projects need none of this

    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise SettingError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from None
    for key in keys:
        content = content.get(key, {})
        _check(str(path), content, dict, key)
    return content


def _declaration(path: Path, name: str, table: Any) -> Declaration:
    where = f"{path}: service {name!r}"
    if not is_service_name(name):
        raise SettingError(f"{where}: a name consists of letters, digits, '_' and '-', at most 200")
    if not _is_known(table):
        _check(where, table, {"kind": frozenset(registry.names())})
    kind = declared_kind(table["kind"])
    for key in _SERVER_SETTINGS:
        # First: it knows more of what is wrong with a setting than that its shape is.
        if isinstance(table.get(key), dict):
            check_server_settings(where, table["kind"], key, table[key])
    _check(where, table, Only({"kind": str, **kind.keys}))
    values = {key: value for key, value in table.items() if key != "kind"}
    declaration = Declaration(name, table["kind"], where, path.parent, values)
    kind.check(declaration)
    check_migrate(declaration)
    return declaration


def _is_known(table: Any) -> bool:
    name = table.get("kind") if isinstance(table, dict) else None
    return isinstance(name, str) and registry.find_known(name) is not None


def _check(where: str, value: Any, shape: Any, key: str = "") -> None:
    """Check a value, which lies at ``key``.

    Raises:
        SettingError: It is not what it should be.
    """
    try:
        check(value, shape, key)
    except UnknownKeyError as error:
        place = f"{where}: {error.key}" if error.key else where
        raise SettingError(f"{place}: unknown key {error.value}; there are {error.expected}") from None
    except ShapeError as error:
        place = f"{where}: {error.key}" if error.key else where
        raise SettingError(
            f"{place} {f'= {error.value}' if error.value else 'is missing'}; it is {error.expected}"
        ) from None


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
