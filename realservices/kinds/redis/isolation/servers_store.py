"""A Redis that servers of the project's own use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from realservices.isolation.servers_store import ServersStore
from realservices.kinds.redis.isolation.snapshot import RedisSnapshot

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class RedisStore(ServersStore):
    """See `ServersStore`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = redis.Redis.from_url(endpoint.url)
        self._snapshot = RedisSnapshot(self._client)

    def take(self) -> None:
        self._snapshot.take()

    def restore(self) -> None:
        self._snapshot.restore()

    def close(self) -> None:
        self._client.close()
