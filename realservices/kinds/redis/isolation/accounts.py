"""The accounts that confine tests to a database: two for each index, so that a test only changes their password.

Their rules are long, and the server reads all of them again where one changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from realservices.kinds.redis.isolation.guard import REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "realservices-"
"""How the names of our own accounts begin."""
Command = tuple[Any, ...]
_RULES = ("~*", "&*", "+@all", *(f"-{command}" for command in REFUSED), "-select")
_NAME = re.compile(rf"{PREFIX}([0-9a-f]{{16}})(?:-.*)?")


class Accounts:
    """The accounts of one isolation, and the commands that make and change them.

    Args:
        token: What no other isolation is called.
    """

    def __init__(self, token: str) -> None:
        self._prefix = f"{PREFIX}{token}"
        # Of which indexes; the server may have forgotten those of `_ever`.
        self._made: set[int] = set()
        self._ever: set[int] = set()
        self._rules = ""  # As the server writes them.

    def names(self, index: int) -> tuple[str, str]:
        """Return the accounts of a database: the one of the URL, and the one of the fixtures' clients."""
        return f"{self._prefix}-{index}", f"{self._prefix}-{index}-client"

    def servers(self) -> str:
        """Return the account for the database that programs have."""
        return f"{self._prefix}-server"

    def open(self, index: int, password: str) -> list[Command]:
        """Return the commands that let in who has a password, and nobody else."""
        if index in self._made:
            return [("ACL", "SETUSER", name, "resetpass", f">{password}") for name in self.names(index)]
        self._made.add(index)
        self._ever.add(index)
        return [make(name, index, password) for name in self.names(index)]

    def shut(self, index: int) -> list[Command]:
        """Return the commands that let nobody in."""
        return [("ACL", "SETUSER", name, "resetpass") for name in self.names(index)]

    def are_whole(self, rules: Mapping[str, str]) -> bool:
        """Return whether all are there and have the rules that the first one had.

        Args:
            rules: Those of all accounts of tests, by name.
        """
        for index in self._made:
            for name in self.names(index):
                own = rules.get(name, "").replace(f"+select|{index}", "+select|")
                self._rules = self._rules or own
                if own != self._rules:
                    return False
        return True

    def forget(self) -> None:
        """Make all of them anew: the server may have none."""
        self._made.clear()

    def remove(self) -> list[Command]:
        """Return the commands that remove all of them."""
        made = [name for index in self._ever for name in self.names(index)]
        return [("ACL", "DELUSER", *made)] if made else []


def make(name: str, index: int, password: str) -> Command:
    """Return the command that makes an account of a database."""
    return "ACL", "SETUSER", name, "reset", "on", f">{password}", *_RULES, f"+select|{index}"


def token_of(name: str) -> str | None:
    """Return whose an account on a server of others is, by its name; None: no session of ours has made it."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None
