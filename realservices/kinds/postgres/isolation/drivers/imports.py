"""Drivers are imported where they are first used, and may not be there."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from types import ModuleType

_EXTRAS = {"psycopg": "psycopg", "psycopg2": "psycopg2", "sqlalchemy": "sqlalchemy", "greenlet": "sqlalchemy"}
_IN_BAZEL = {
    "psycopg": "psycopg and psycopg-binary",
    "psycopg2": "psycopg2-binary",
    "sqlalchemy": "sqlalchemy",
    "greenlet": "greenlet",
}


class MissingDriverError(IsolationError):
    """A fixture needs a package that cannot be imported."""


def connections_of(name: str) -> ModuleType:
    """Return our module with ``connect`` and ``release`` for a driver that connects blocking: psycopg, psycopg2."""
    return importlib.import_module(f"{__package__}.{name}_connections")


def driver(module: str, wanted_by: str) -> ModuleType:
    """Import a driver.

    Args:
        module: Its name.
        wanted_by: The fixture that needs it, or what else does, for the message.

    Raises:
        MissingDriverError: It is not there, or does not work.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDriverError(
            f"{wanted_by} needs the package {module!r}, which cannot be imported here ({type(error).__name__}: "
            f"{error}). Install it by `pip install 'rules-realservices[{_EXTRAS[module]}]'`; under Bazel add "
            f"{_IN_BAZEL[module]} to the target's deps"
        ) from error
