"""A clone and a connection to it, used by one test after the other, with the reset that all tests have."""

from __future__ import annotations

from realservices.kinds.postgres.isolation.isolation import PostgresIsolation


class PooledConnection(PostgresIsolation):
    """A clone and a connection to it, for one test at a time."""

    async def retire(self) -> None:
        """Close the connection and drop the clone."""
        self._kept.abandon()
        base, self._base = self._base, None
        if base is not None:
            self._clones.drop(base.clone)
