"""What an environment has of Redis: ``redis`` and ``redis_bytes``, which are the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import IsolationError
from realservices.isolation.shares import Shares
from realservices.kinds.redis.isolated import redis_of

if TYPE_CHECKING:
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.redis.isolation.isolation import RedisIsolation
    from realservices.kinds.redis.isolation.lease import RedisLease

_TEXTS = "redis"


class RedisShares(Shares):
    """See `Shares`."""

    def __init__(self, environment: TestEnvironment) -> None:
        super().__init__(environment)
        self._lease: RedisLease | None = None
        self._waits = False  # For the lease of another test: it comes with the first command.

    def make(self, resource: str, name: str | None) -> Any:
        decode = resource == _TEXTS
        # It is the same service, too.
        name = name or self.environment.service_names.get(_TEXTS)
        redis, stack = redis_of(self.environment.manager, name), self.environment.stack
        if self.is_servers(redis):
            client, close = redis.client_of_service(decode=decode)
            stack.push_async_callback(close)
            return client
        lease = self._leased(redis)
        if lease is None:
            return self._waiting(redis, decode)
        if self.environment.keep:
            return stack.enter_context(redis.client(lease, decode=decode))
        client, close = redis.client_to_close(lease, decode=decode)
        stack.push_async_callback(close)
        return client

    def _leased(self, redis: RedisIsolation) -> RedisLease | None:
        if self._lease is None and not self._waits:
            self._lease = redis.lease_or_wait()
            if self._lease:
                self.environment.stack.callback(redis.release, self._lease)
        return self._lease

    def _waiting(self, redis: RedisIsolation, decode: bool) -> Any:
        """Return a client for the database that another test releases."""
        if not decode:
            raise IsolationError(
                f"{self.environment.test_id}: environment['redis_bytes'] cannot wait for a database that another test "
                "releases, as environment['redis'] can: lower max_concurrent_tests, or set databases on the "
                "redis_service to more"
            )
        self._waits = True
        return redis.waiting_client(self.environment)
