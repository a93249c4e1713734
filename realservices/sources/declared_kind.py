"""What plain pytest asks of a kind of service: how a project declares one, and where a server comes from.

It is the part `declared` of a kind (kinds/kind.py).
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING, Any

from realservices.kinds.registry import part_of
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    import contextlib
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.kind import Kind
    from realservices.sources.declarations import Declaration
    from realservices.sources.recipe import Recipe

# The rules' defaults.
_DATABASE = _USER = "test"


class DeclaredKind:
    """How a kind is declared.

    Attributes:
        kind: It.
        keys: Shape of what a declaration may say beside its kind (contract/shapes.py).
        has_template: Its data directory is built once, from what is declared.
        taken_users: Patterns of the names of users that are the server's own.
        taken_databases: Likewise.
    """

    kind: Kind
    keys: Mapping[str, Any] = {}
    has_template = False
    taken_users: tuple[str, ...] = ()
    taken_databases: tuple[str, ...] = ()

    def check(self, declaration: Declaration) -> None:
        """Check what shapes cannot.

        Raises:
            SettingError: Something does not fit the rest.
        """

    def account(self, declaration: Declaration) -> tuple[str, str]:
        """Return user and database of a service.

        Raises:
            SettingError: A name is none.
        """
        values = declaration.values
        user, database = values.get("user", _USER), values.get("database", _DATABASE)
        for key, name, taken in (("user", user, self.taken_users), ("database", database, self.taken_databases)):
            if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) or any(fnmatch.fnmatch(name, each) for each in taken):
                raise SettingError(
                    f"{declaration.where}: {key} = {name!r}; it is lower-case letters, digits and '_', and not "
                    f"{', '.join(taken)}"
                )
        return user, database

    def port_names(self, declaration: Declaration) -> tuple[str, ...]:
        """Return the names of the ports, the main one first."""
        return self.kind.port_names or (self.kind.name,)

    def speaks(self, declaration: Declaration) -> list[str]:
        """Return what a test can speak with it, if it is a server of the project's own."""
        return []

    def find_program(self) -> Path:
        """Return the server's program, or the directory of its distribution, on this machine.

        Raises:
            SettingError: The environment names one that is none, or too old.
            MissingServiceError: There is none.
        """
        raise NotImplementedError

    def config(
        self, declaration: Declaration, declared: Mapping[str, Declaration], stack: contextlib.ExitStack
    ) -> dict[str, Any]:
        """Return the configuration of a manifest's entry. Paths in it start from the root directory.

        Args:
            declaration: The service's.
            declared: All services, by name.
            stack: Ends when the service does not need the files any more.

        Raises:
            RealServicesError: Something that it needs is not there.
        """
        raise NotImplementedError

    def made_of(self, declaration: Declaration, config: Mapping[str, Any]) -> list[str]:
        """Return the files that a service runs on, nothing if that is not known: then it is never kept for later."""
        return self.kind.made_of({key: f"/{config[key]}" for key in self.kind.program_keys if key in config})

    def recipe(self, declaration: Declaration) -> Recipe:
        """Return how a template is made on this machine.

        Raises:
            RealServicesError: Something that it needs is not there.
        """
        return self.recipe_with(self.find_program(), declaration)

    def recipe_with(self, program: Path, declaration: Declaration) -> Recipe:
        """Return how a template is made with a server.

        Args:
            program: What `find_program` has returned: it may have asked a program for its version.
            declaration: What declares the service.

        Raises:
            RealServicesError: Something that it needs is not there.
        """
        raise NotImplementedError

    def lacking(self, declaration: Declaration, program: Path) -> Iterable[str]:
        """Return what a server has not that the declaration wants, as far as that is seen without a start.

        Args:
            declaration: What declares the service.
            program: What `find_program` has returned.
        """
        return ()

    def external(self, name: str) -> Endpoint:
        """Return what the variables say of an external server.

        Raises:
            SettingError: One of them does not say what it should.
        """
        raise NotImplementedError

    def agreed(self, endpoint: Endpoint, connection: socket.socket) -> Endpoint:
        """Return the endpoint of such a server as it wants to be spoken to.

        Args:
            endpoint: What `external` has returned.
            connection: A connection to it that nobody has used.
        """
        return endpoint

    def fills(self, declaration: Declaration, endpoint: Endpoint) -> Callable[[str], None] | None:
        """Return what makes a project's own database of a fresh one on such a server; None: nothing is declared."""
        return None


def declared_kind(name: str) -> DeclaredKind:
    """Return how a kind is declared."""
    found: DeclaredKind = part_of(name, "declared")
    return found


def texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as a manifest holds them."""
    return {name: str(value) for name, value in settings.items()}


def from_root(path: Path) -> str:
    """Return a path as a manifest's entry of a session holds it."""
    return os.fspath(path.resolve()).removeprefix("/")
