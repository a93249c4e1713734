"""A Redis that servers of the project's own use: what its database held before the tests, and the way back to it.

Values are kept as DUMP gives them, with their time to live, so every type comes back as it was
(https://redis.io/docs/latest/commands/restore/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from realservices.isolation.servers_store import ServersStore

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

_BATCH = 1000


class RedisStore(ServersStore):
    """See `ServersStore`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = redis.Redis.from_url(endpoint.url)
        self._values: list[tuple[bytes, int, bytes]] = []

    def take(self) -> None:
        self._values = []
        keys = list(self._client.scan_iter(count=_BATCH))
        for start in range(0, len(keys), _BATCH):
            self._values += self._dump(keys[start : start + _BATCH])

    def restore(self) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.flushdb()
            for key, lifetime_ms, value in self._values:
                pipeline.restore(key, lifetime_ms, value, replace=True)
            pipeline.execute()

    def close(self) -> None:
        self._client.close()

    def _dump(self, keys: list[bytes]) -> list[tuple[bytes, int, bytes]]:
        with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pttl(key)
                pipeline.dump(key)
            answers = pipeline.execute()
        found = zip(keys, answers[::2], answers[1::2], strict=True)
        # A key may expire meanwhile; one that lives for ever has the lifetime -1, which RESTORE calls 0.
        return [(key, max(0, lifetime_ms), value) for key, lifetime_ms, value in found if value is not None]
