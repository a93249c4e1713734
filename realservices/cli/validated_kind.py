"""How `validate` uses a service of a kind as tests would: the part `validated` of a kind (kinds/kind.py)."""

from __future__ import annotations

from typing import Any

from realservices.kinds.registry import part_of

TABLE = "realservices_validation"
"""The one that is made and looked for."""
SERVERS = "servers of this project use it, too, so no table was made in it"


class UnexpectedError(Exception):
    """Something is not as it should be."""


class ValidatedKind:
    """How a kind is used. The client is that of the kind's first key of an environment.

    Attributes:
        spares_servers: What `use` does would disturb running servers that use the same database: `use_servers` then.
    """

    spares_servers = True

    async def use(self, client: Any) -> str:
        """Do what a test does; return what the server is.

        Raises:
            UnexpectedError: It does not do what it should.
        """
        raise NotImplementedError

    async def use_servers(self, client: Any) -> str:
        """Do what leaves no trace in a database that running servers have open; return what the server is."""
        raise NotImplementedError

    async def is_seen(self, client: Any) -> bool:
        """Return whether the next test finds what the first one has done."""
        raise NotImplementedError


def validated_kind(name: str) -> ValidatedKind:
    """Return how a kind is used."""
    found: ValidatedKind = part_of(name, "validated")
    return found


def expect(what: str, found: object, expected: object) -> None:
    """Compare what was found with what was expected.

    Raises:
        UnexpectedError: They differ.
    """
    if found != expected:
        raise UnexpectedError(f"{what} is {found!r}; expected was {expected!r}")
