"""Variables of this process that are others for as long as it uses its services."""

from __future__ import annotations

import os


class ReplacedVariables:
    """Remembers what they were."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def set(self, name: str, value: str) -> None:
        """Have a variable be another one."""
        self._before.setdefault(name, os.environ.get(name))
        os.environ[name] = value

    def restore(self) -> None:
        """Have all of them as they were."""
        while self._before:
            name, value = self._before.popitem()
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
