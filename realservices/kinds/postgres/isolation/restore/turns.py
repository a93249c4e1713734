"""Whose turn it is on a server that processes share: tests run side by side, restoring the server runs alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from realservices.system.locks import EXCLUSIVE, SHARED, lock, try_lock, unlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SOON_S = 1.0
_PAUSE_S = 0.005


class ServerTurns:
    """One process's part in it.

    Args:
        path: What the names of the lock files begin with, the same for all processes. Empty: there are no others.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: list[int] = []

    async def begin_test(self) -> None:
        """Begin to use the server, once who restores it has finished, or who waits to."""
        if not self._path:
            return
        queue, use = self._opened()
        await _lock(queue, EXCLUSIVE)
        try:
            await _lock(use, SHARED)
        finally:
            unlock(queue)

    def end_test(self) -> None:
        """End the use."""
        if self._path:
            unlock(self._opened()[1])

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the server alone: no test of any process uses it."""
        if not self._path:
            yield
            return
        queue, use = self._opened()
        await _lock(queue, EXCLUSIVE)
        try:
            await _lock(use, EXCLUSIVE)
            try:
                yield
            finally:
                unlock(use)
        finally:
            unlock(queue)

    @contextlib.asynccontextmanager
    async def alone_soon(self) -> AsyncIterator[bool]:
        """Have the server alone if that is possible soon: a test of this very process may use it for longer."""
        if not self._path:
            yield True
            return
        files = self._opened()
        try:
            async with asyncio.timeout(_SOON_S):
                while not all(try_lock(file) for file in files):
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            yield False
        else:
            yield True
        finally:
            for file in files:
                unlock(file)

    def close(self) -> None:
        """Release what is held."""
        while self._files:
            os.close(self._files.pop())

    def _opened(self) -> list[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        while len(self._files) < 2:  # The queue's and the use's.
            self._files.append(os.open(f"{self._path}.turn{len(self._files)}", flags, 0o600))
        return self._files


async def _lock(file: int, kind: int) -> None:
    if not try_lock(file, kind):
        await asyncio.to_thread(lock, file, kind)
