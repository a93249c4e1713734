"""Libraries of functions that a test loads by its fixtures' clients, and the way back to what was there before.

They belong to the whole server (https://redis.io/docs/latest/develop/programmability/functions-intro/), which does not
tell who has loaded one. Those that programs, or clients made from the URL, load are removed when no test of any process
runs (leftovers.py), these at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from realservices.kinds.redis.isolation.leftovers import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.kinds.redis.isolation.leftovers import Leftovers

# Of the first line, "#!lua name=mylib", in which the server reads quotes and either case.
_NAME = re.compile(r"#![^\n]*?\bname=[\"']?(\w+)", re.IGNORECASE)


class LoadedLibraries:
    """What one test has loaded.

    Args:
        call: Sends commands over the administrative connection and returns their answers.
        leftovers: Is told of them, so that no other process takes one for a program's.
    """

    def __init__(self, call: Callable[..., list[Any]], leftovers: Leftovers | None = None) -> None:
        self._call = call
        self._leftovers = leftovers
        self._before: dict[str, bytes | None] = {}

    def before_load(self, code: str) -> None:
        """Remember what a library was before the test loads it. What is no library the server refuses."""
        match = _NAME.match(code)
        if match and match[1] not in self._before:
            if self._leftovers:
                self._leftovers.claim(_key(match[1]))
            found = self._call(("FUNCTION", "LIST", "LIBRARYNAME", match[1], "WITHCODE"))[0]
            self._before[match[1]] = _code(found[0]) if found else None

    def restore(self) -> None:
        """Remove what the test has loaded, and load again what it has replaced."""
        while self._before:
            name, code = self._before.popitem()
            if self._leftovers and self._leftovers.is_shared(_key(name)):
                self._leftovers.disclaim(_key(name))
                continue  # The last of its tests removes it.
            present = bool(self._call(("FUNCTION", "LIST", "LIBRARYNAME", name))[0])
            if code is not None:
                self._call(("FUNCTION", "LOAD", "REPLACE", code))
            elif present:
                self._call(("FUNCTION", "DELETE", name))
            if self._leftovers:
                self._leftovers.disclaim(_key(name))


def _key(name: str) -> str:
    return f"{FUNCTION} {name}"


def _code(library: list[Any]) -> bytes:
    fields = dict(zip(library[::2], library[1::2], strict=True))
    code: bytes = fields[b"library_code"]
    return code
