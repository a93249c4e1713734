"""One test's use of a clone: none until the test commits there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.clone_pool import ClonePool


class CloneUse:
    """Knows what has to be done about a clone behind its test.

    Attributes:
        clone: The database.
        is_in_use: Something may be committed there; it has to be released.
        is_spoilt: Somebody may be there still, or may come back.
        own: Process ids of our own backends that were there, whose sessions were reset.

    Args:
        clones: Where the clone comes from.
        clone: See above.
        is_in_use: See above.
    """

    def __init__(self, clones: ClonePool, clone: Clone, *, is_in_use: bool = False) -> None:
        self._clones = clones
        self.clone = clone
        self.is_in_use = is_in_use
        self.is_spoilt = False
        self.own: list[int] = []

    async def begin(self) -> None:
        """Have the database as one in which the test may commit."""
        if not self.is_in_use:
            await asyncio.wrap_future(self._clones.begin_use(self.clone))
            self.is_in_use = True

    async def open(self) -> None:
        """Have the database admit a connection of ours."""
        if self._clones.is_closed_to_others(self.clone):
            await asyncio.wrap_future(self._clones.open(self.clone))

    async def close(self, own: Collection[int]) -> bool:
        """Have the database admit nobody else; return whether nobody else is there."""
        return self._clones.is_closed_to_others(self.clone) or await asyncio.wrap_future(
            self._clones.close_to_others(self.clone, own)
        )

    async def replace(self) -> None:
        """Take another database instead."""
        await self.begin()
        self._clones.give_back(self.clone)
        self.is_in_use, self.own = False, []
        self.clone = await asyncio.wrap_future(self._clones.reserve())

    async def spoil(self) -> None:
        """Have the database restored, and nobody's who may still be there."""
        self.is_spoilt = True
        with contextlib.suppress(IsolationError, OSError):
            await self.begin()
