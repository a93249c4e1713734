"""Which kinds of services there are, and how a part of one is imported: when it is used, and not before.

Most lie beside this module. One of a project's own is a package like those: a manifest names it where Bazel is, else an
entry point of the group ``realservices.kinds`` does, whose name is the kind's and whose value is the package.
"""

from __future__ import annotations

import sys

from realservices import kinds
from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

    from realservices.kinds.kind import Kind

_GROUP = "realservices.kinds"
_DESCRIPTION = "kind"
# Also names that are none: to look for an entry point takes long.
_known: dict[str, Kind | None] = {}
# Packages of kinds that lie elsewhere, by name.
_elsewhere: dict[str, str] = {}


def find(name: str) -> Kind:
    """Return a kind.

    Args:
        name: As a manifest and a declaration call it.

    Raises:
        ManifestError: There is no such kind.
    """
    found = find_known(name)
    if found is None:
        raise ManifestError(f"unknown kind of service {name!r}; known are {', '.join(names())}")
    return found


def find_known(name: str) -> Kind | None:
    """Return a kind, None if there is none of this name."""
    if name not in _known and name.isidentifier():
        package = _elsewhere.get(name) or f"{kinds.__name__}.{name}"
        _known[name] = _described(package) or _described(_entry_point(name))
    return _known.get(name)


def register(name: str, package: str, paths: Iterable[str] = ()) -> None:
    """Take note of a kind that lies elsewhere.

    Args:
        name: As a manifest calls it.
        package: Its folder, as Python's name of a package.
        paths: Where Python finds that.

    Raises:
        ManifestError: There is none.
    """
    sys.path += [path for path in paths if path not in sys.path]
    _elsewhere[name] = package
    _known.pop(name, None)
    if find_known(name) is None:
        raise ManifestError(f"kind of service {name!r}: there is no module {package}.{_DESCRIPTION} with a KIND")


def packages() -> tuple[str, ...]:
    """Return what the names of modules of kinds begin with."""
    return tuple(f"{package}." for package in (kinds.__name__, *_elsewhere.values()))


def is_elsewhere(kind: Kind) -> bool:
    """Return whether a kind is a project's own."""
    return not kind.package.startswith(f"{kinds.__name__}.")


def names() -> list[str]:
    """Return the names of all kinds, in alphabetical order."""
    return sorted({*kinds.NAMES, *_elsewhere})


def kinds_fixtures() -> list[ModuleType]:
    """Return the modules of pytest's fixtures of all kinds."""
    return [_import(f"{kind.package}.{module}") for kind in map(find, names()) for module in kind.fixtures]


def kinds_hooks() -> list[ModuleType]:
    """Return the modules of pytest's hooks of all kinds."""
    return [_import(f"{kind.package}.{module}") for kind in map(find, names()) for module in kind.hooks]


def load(kind: Kind, part: str) -> Any:
    """Return a part of a kind.

    Args:
        kind: It.
        part: Module of the kind's folder and a name in it: ``server.service:Postgres``.
    """
    module, _, name = part.partition(":")
    return getattr(_import(f"{kind.package}.{module}"), name)


def part_of(name: str, part: str) -> Any:
    """Return a part of a kind by the name of the attribute of `Kind` that says where it is; None: it has none.

    Raises:
        ManifestError: There is no such kind.
    """
    kind = find(name)
    place = getattr(kind, part)
    return load(kind, place) if place else None


def _described(package: str) -> Kind | None:
    """Return the description that a package has; None: there is no such package."""
    if not package:
        return None
    module = f"{package}.{_DESCRIPTION}"
    try:
        found: Kind = _import(module).KIND
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        return None
    return found


def _entry_point(name: str) -> str:
    """Return the package that an installed distribution names for a kind; empty: none does."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - for kinds that are not ours

    found = "".join(point.value for point in entry_points(group=_GROUP, name=name))
    if found:
        _elsewhere[name] = found
    return found


def _import(module: str) -> Any:
    return __import__(module, fromlist=["*"])
