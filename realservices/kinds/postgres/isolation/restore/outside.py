"""What fixtures of a wider scope have changed in the server as a whole, told to all processes that restore it.

A role or database that such a fixture makes is there on purpose, and no test of any process has left it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.kinds.postgres.isolation.restore.cluster import Key


class OutsideChanges:
    """One process's view of them.

    Args:
        path: Of the file that all processes share. Empty: there are no others.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._read = 0

    def tell(self, keys: Iterable[Key]) -> None:
        """Tell the others what this process's fixtures have changed."""
        line = json.dumps([os.getpid(), [list(key) for key in keys]]) + "\n"
        if self._path:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)

    def of_others(self) -> set[Key]:
        """Return what others have told since the last call."""
        if not self._path or not os.path.exists(self._path):
            return set()
        with Path(self._path).open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines()
            self._read = file.tell()
        told = [json.loads(line) for line in lines]
        return {(section, name) for process, keys in told if process != os.getpid() for section, name in keys}
