"""What an environment has of Redis: ``redis`` and ``redis_bytes``, which are the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import IsolationError
from realservices.isolation.shares import Shares
from realservices.kinds.redis.isolated import redis_of
from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError

if TYPE_CHECKING:
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.redis.isolation.lease import RedisLease

_TEXTS = "redis"


class RedisShares(Shares):
    """See `Shares`."""

    def __init__(self, environment: TestEnvironment) -> None:
        super().__init__(environment)
        self._lease: RedisLease | None = None

    def make(self, resource: str, name: str | None) -> Any:
        if resource == _TEXTS:
            return self._client(name, decode=True)
        # It is the same service, too.
        name = name or self.environment.service_names.get(_TEXTS)
        servers = self.environment.manager.servers
        is_servers = redis_of(self.environment.manager, name).endpoint.name in servers.names
        if self.environment.has_made(_TEXTS) and self._lease is None and not is_servers:
            raise IsolationError(
                f"{self.environment.test_id}: environment['redis'] waits for a database that another test releases, "
                "and environment['redis_bytes'] cannot: lower max_concurrent_tests, or set databases on the "
                "redis_service to more"
            )
        return self._client(name, decode=False)

    def _client(self, name: str | None, *, decode: bool) -> Any:
        redis, stack = redis_of(self.environment.manager, name), self.environment.stack
        if self.is_servers(redis):
            client, close = redis.client_of_service(decode=decode)
            stack.push_async_callback(close)
            return client
        if self._lease is None:
            try:
                self._lease = redis.lease()
            except IndexesExhaustedError:
                waiting = redis.waiting_client(self.environment) if decode else None
                if waiting is None:
                    raise
                return waiting
            stack.callback(redis.release, self._lease)
        if self.environment.keep:
            return stack.enter_context(redis.client(self._lease, decode=decode))
        client, close = redis.client_to_close(self._lease, decode=decode)
        stack.push_async_callback(close)
        return client
