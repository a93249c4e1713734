"""Which kinds of services there are, and how a part of one is imported: when it is used, and not before."""

from __future__ import annotations

from realservices import kinds
from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from realservices.kinds.kind import Kind

_known: dict[str, Kind] = {}


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
        module = f"{kinds.__name__}.{name}.kind"
        try:
            _known[name] = _import(module, "KIND")
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
    return _known.get(name)


def names() -> list[str]:
    """Return the names of all kinds, in alphabetical order."""
    import pkgutil  # noqa: PLC0415 - no test is to pay for it

    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__) if module.ispkg)


def kinds_fixtures() -> list[ModuleType]:
    """Return the modules of pytest's fixtures of all kinds."""
    kinds = map(find, names())
    return [__import__(f"{kind.package}.{module}", fromlist=["*"]) for kind in kinds for module in kind.fixtures]


def load(kind: Kind, part: str) -> Any:
    """Return a part of a kind.

    Args:
        kind: It.
        part: Module of the kind's folder and a name in it: ``server.service:Postgres``.
    """
    module, _, name = part.partition(":")
    return _import(f"{kind.package}.{module}", name)


def _import(module: str, name: str) -> Any:
    return getattr(__import__(module, fromlist=[name]), name)
