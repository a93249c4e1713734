"""One lane: a clone and a connection to it, used by one test after the other, with the reset that all tests have."""

from __future__ import annotations

import contextlib

from realservices.isolation.postgres.isolation import PostgresIsolation


class Lane(PostgresIsolation):
    """A clone and a connection to it, for one test at a time."""

    async def retire(self) -> None:
        """Close the connection and drop the clone."""
        await self.close_loop()
        for loop, (_, pool) in self._pools.items():
            with contextlib.suppress(RuntimeError):  # That loop is closed, and its connections with it.
                loop.call_soon_threadsafe(pool.terminate)
        self._pools.clear()
        base, self._base = self._base, None
        if base is not None and base.done() and not base.cancelled() and not base.exception():
            self._clones.drop(base.result())
