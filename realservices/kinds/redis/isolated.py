"""How tests share a Redis. Its client library takes 50 ms to import, so that it is left to those who use it."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from realservices.isolation.checked_out import CheckedOut, fields
from realservices.isolation.errors import IsolationError
from realservices.isolation.expecting import soon
from realservices.isolation.isolated_kind import IsolatedKind
from realservices.kinds.redis.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.servers_store import ServersStore
    from realservices.isolation.shares import Shares
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.redis.isolation.isolation import RedisIsolation
    from realservices.kinds.redis.isolation.leftovers import Leftovers

_FIXTURES = {"isolated_redis", "isolated_redis_sync", "isolated_redis_bytes", "isolated_redis_bytes_sync"}


class _Redis(IsolatedKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint) -> RedisIsolation:
        from realservices.kinds.redis.isolation.isolation import RedisIsolation  # noqa: PLC0415 - see above

        return RedisIsolation(
            endpoint, manager.services.directory_of(endpoint), leftovers=leftovers_of(manager, endpoint)
        )

    def shares(self, environment: TestEnvironment) -> Shares:
        from realservices.kinds.redis.isolation.shares import RedisShares  # noqa: PLC0415 - for its users

        return RedisShares(environment)

    def servers_store(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> ServersStore:
        from realservices.kinds.redis.isolation.servers_store import RedisStore  # noqa: PLC0415 - see above

        return RedisStore(endpoint)

    def checked_out(self, manager: IsolationManager) -> CheckedOut:
        return _CheckedOut(manager)

    def expect(self, manager: IsolationManager, service: str, tests: Iterable[Collection[str]]) -> None:
        if any(not _FIXTURES.isdisjoint(names) for names in tests):
            soon(partial(redis_of, manager, service), at_once=False)

    async def ask(self, endpoint: Endpoint) -> None:
        import redis.asyncio  # noqa: PLC0415 - see above

        async with redis.asyncio.Redis.from_url(endpoint.url) as client:
            await client.ping()


class _CheckedOut(CheckedOut):
    """A database for each test."""

    def __init__(self, manager: IsolationManager) -> None:
        super().__init__(manager)
        self._idle: dict[str, list[RedisIsolation]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        isolation = self._isolation(service)
        lease = isolation.lease()
        account = {"user": lease.user, "password": lease.password}
        try:
            yield fields(isolation.endpoint, database=lease.database_index, url=lease.url, **account)
        finally:
            isolation.release(lease)
            with self._lock:
                self._idle[service].append(isolation)

    def _isolation(self, service: str) -> RedisIsolation:
        """Return an isolation that has no test; each has an account, and indexes, of its own."""
        with self._lock:
            idle = self._idle.setdefault(service, [])
            if idle:
                return idle.pop()
        try:
            return make_redis(self.manager, service)
        except IsolationError as error:
            raise IsolationError(
                f"no database of Redis service {service!r} is left: as many tests as it has databases for hold one. "
                "Release those that are done, run fewer tests at once, or set databases on the redis_service to more"
            ) from error


def redis_of(manager: IsolationManager, name: str | None = None) -> RedisIsolation:
    """Return the isolation of a Redis service: the named one, else the first.

    Raises:
        MissingServiceError: There is none.
        RealServicesError: It does not serve.
    """
    return cast("RedisIsolation", manager.isolation_of(KIND.name, name))


def leftovers_of(manager: IsolationManager, endpoint: Endpoint) -> Leftovers | None:
    """Return what undoes what tests leave in the whole server, None where it is not the tests' alone."""
    from realservices.kinds.redis.isolation.leftovers import Leftovers  # noqa: PLC0415 - see above

    return Leftovers(endpoint, manager.services.directory_of(endpoint)) if manager.is_tests_own(endpoint) else None


def make_redis(manager: IsolationManager, name: str | None = None) -> RedisIsolation:
    """Return one more isolation of a Redis service, with indexes of its own: for tests that run at the same time.

    Raises:
        IsolationError: There are no more indexes.
        RealServicesError: There is no such service, or it does not serve.
    """
    return ISOLATED.isolation(manager, manager.services.endpoint(KIND.name, name))


ISOLATED = _Redis()
