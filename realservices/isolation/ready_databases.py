"""Clones that the template brings along: taken in no time, each once, by whichever process of a test comes first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class ReadyDatabases:
    """The ready-made databases of one service.

    Attributes:
        directory: Where all processes of the test mark what is taken; gone with the test. Empty: there is one process.
        taken: Names that this process has taken.

    Args:
        endpoint: The PostgreSQL service.
        directory: See above.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self.directory = directory
        self.taken: list[str] = []
        self._marks = {name: f"{directory}/{endpoint.name}.{name}" for name in endpoint.ready_databases}

    def take(self) -> str | None:
        """Return the name of a database that nobody has used, or None where all have been taken."""
        while self._marks:
            name = next(iter(self._marks))
            mark = self._marks.pop(name)
            try:
                os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            except FileExistsError:
                continue  # Another process has it.
            self.taken.append(name)
            return name
        return None
