"""One test's share of everything: databases, servers, files, each made when the test first asks for it.

`TestEnvironment` is what the environment fixtures and `IsolatedEnvironmentManager.create_test_environment` give: a
mapping from resource to client. Subscripts do not block on anything but a service that has yet to start.

Where the target declares servers of its own (executable_service), ``database``, ``redis`` and ``clickhouse`` are the
very ones that these servers use, and are put back after the test (server_state.py). Otherwise they are isolated as the
single fixtures are.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from realservices.clients.filesystem import new_filesystem
from realservices.contract.driver_keys import DRIVERS
from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.lazy_connection import LazyConnection
from realservices.sources.errors import MissingServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager

    from realservices.external_service_integration import ExternalServiceManager
    from realservices.isolation.manager import IsolationManager
    from realservices.kinds.postgres.isolation.drivers.environment_clients import EnvironmentClients
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
    from realservices.kinds.redis.isolation.lease import RedisLease

RESOURCES = ("database", *DRIVERS, "redis", "redis_bytes", "clickhouse", "http", "websocket", "filesystem", "llm")
"""The keys of an environment."""


class TestEnvironment(Mapping[str, Any]):
    """What one test has of its services.

    Iterating gives the resources that can be had here. A subscript with another one of them calls ``missing``.

    Attributes:
        test_id: The test's name, for messages.
        is_left: It is over; nothing of it can be used any more.

    Args:
        manager: The process's services.
        test_id: See above.
        resources: Which of `RESOURCES` this environment has.
        names: Services to use instead of the first of their kind, by resource.
        missing: Called with the error when a resource cannot be had; by default the error is raised.
        keep: The running loop serves later tests, too, so that connections are worth keeping.
        isolation: What ``database`` is: ``transaction`` or ``database``; by default what the target says.
    """

    __test__ = False  # The name is the domain's; pytest must not collect it.

    def __init__(
        self,
        manager: IsolationManager,
        test_id: str,
        resources: Iterable[str] = RESOURCES,
        *,
        names: Mapping[str, str] | None = None,
        missing: Callable[[MissingServiceError], None] | None = None,
        keep: bool = False,
        isolation: str = "",
    ) -> None:
        self.test_id = test_id
        self.is_left = False
        self._manager = manager
        self._resources = tuple(resources)
        self._service_names = names or {}
        self._missing = missing
        self._keep = keep
        self._isolation = isolation or manager.isolation
        self._made: dict[str, Any] = {}
        # Tasks that clients start must belong to the environment: those of the test itself are cancelled before it.
        self._context = contextvars.copy_context()
        self._stack = contextlib.AsyncExitStack()
        self._opening: set[asyncio.Task[Any]] = set()
        self._has_begun_to_close = False
        self._external: ExternalServiceManager | None = None
        self._redis_lease: RedisLease | None = None

    def __getitem__(self, resource: str) -> Any:
        if resource not in self._resources:
            raise KeyError(f"{resource!r}: this environment has {', '.join(self._resources)}")
        self._check_open(resource)
        if resource not in self._made:
            try:
                self._made[resource] = _MAKERS[resource](self, self._service_names.get(resource))
            except MissingServiceError as error:
                if self._missing is not None:
                    self._missing(error)
                raise
        return self._made[resource]

    def __iter__(self) -> Iterator[str]:
        return iter([resource for resource in self._resources if resource in self])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, resource: object) -> bool:
        return resource in self._resources and self._manager.has(str(resource), self._service_names.get(str(resource)))

    def __repr__(self) -> str:
        return f"<TestEnvironment of {self.test_id}: {', '.join(self)}>"

    async def __aenter__(self) -> TestEnvironment:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Close what was made, clients of servers first; then undo what the servers have written. Once is enough."""
        if self.is_left:
            return
        self.is_left = True
        try:
            await self._in_own_context(self._close())
        except asyncio.CancelledError:
            # A loop that ends cancels all tasks, also one that has not begun: that does nothing at all.
            if not self._has_begun_to_close:
                await self._in_own_context(self._close())
            raise
        finally:
            self._manager.servers.leave()

    def _check_open(self, resource: str) -> None:
        if self.is_left:
            raise IsolationError(
                f"{resource!r}: the environment of {self.test_id} is over; do not keep it beyond its test"
            )

    # Makers, by resource

    def _database(self, name: str | None) -> Any:
        postgres = self._manager.postgres(name)
        if postgres.endpoint.name in self._manager.servers.names:
            self._manager.servers.enter()
            make: Callable[[], AbstractAsyncContextManager[Any]] = postgres.connection_to_service
        else:
            make = functools.partial(self._connection, postgres)
        # Made anew for each attempt: a context that has failed cannot be entered again.
        return LazyConnection(lambda: self._in_own_context(self._open("database", make())))

    def _connection(self, postgres: PostgresIsolation) -> AbstractAsyncContextManager[Any]:
        """Return what ``database`` is, when it sends its first statement."""
        leased = self._clients.lease(postgres.endpoint.name)
        if leased is not None:
            leases, lease = leased
            return leases.asyncpg(lease, keep=self._keep)
        if self._isolation == "database":
            return postgres.connection_to_clone(keep=self._keep)
        return postgres.transaction(keep=self._keep)

    def _driver(self, key: str, name: str | None) -> Any:
        return self._clients.make(key, name or self._service_names.get("database"))

    @functools.cached_property
    def _clients(self) -> EnvironmentClients:
        from realservices.kinds.postgres.isolation.drivers.environment_clients import (  # noqa: PLC0415 - asyncpg takes 25 ms
            EnvironmentClients,
        )

        return EnvironmentClients(self._manager, self._stack, self.test_id, keep=self._keep)

    def _redis(self, name: str | None, *, decode: bool = True) -> Any:
        redis = self._manager.redis(name)
        if redis.endpoint.name in self._manager.servers.names:
            self._manager.servers.enter()
            client, close = redis.client_of_service(decode=decode)
            self._stack.push_async_callback(close)
            return client
        if self._redis_lease is None:
            self._redis_lease = redis.lease()
            self._stack.callback(redis.release, self._redis_lease)
        if self._keep:
            return self._stack.enter_context(redis.client(self._redis_lease, decode=decode))
        client, close = redis.client_to_close(self._redis_lease, decode=decode)
        self._stack.push_async_callback(close)
        return client

    def _redis_bytes(self, name: str | None) -> Any:
        """The same database as ``redis``; so it is the same service, too."""
        name = name or self._service_names.get("redis")
        is_servers = self._manager.redis(name).endpoint.name in self._manager.servers.names
        if "redis" in self._made and self._redis_lease is None and not is_servers:
            raise IsolationError(
                f"{self.test_id}: environment['redis'] waits for a database that another test gives back, and "
                "environment['redis_bytes'] cannot: lower max_concurrent_tests, or set databases on the redis_service "
                "to more"
            )
        return self._redis(name, decode=False)

    def _clickhouse(self, name: str | None) -> Any:
        clickhouse = self._manager.clickhouse(name)
        if clickhouse.endpoint.name in self._manager.servers.names:
            self._manager.servers.enter()
            return self._stack.enter_context(clickhouse.service_database())
        return self._stack.enter_context(clickhouse.database())

    def _http(self, name: str | None) -> Any:
        return self._served("http", name)

    def _websocket(self, name: str | None) -> Any:
        return self._served("websocket", name)

    def _llm(self, name: str | None) -> Any:
        return self._served("llm", name)

    def _filesystem(self, _: str | None) -> Any:
        files = new_filesystem(self._manager.services.sandbox)
        self._stack.callback(files.blocking.remove_all)
        return files

    def _served(self, protocol: str, name: str | None) -> Any:
        """Make a client of a server; what the server writes is undone in the end."""
        if self._external is None:
            from realservices.external_service_integration import ExternalServiceManager  # noqa: PLC0415 - for its users

            # A WebSocket's reader is a task, which belongs to whoever makes the manager.
            self._external = self._context.run(ExternalServiceManager, self._manager.services)
            self._stack.push_async_callback(self._external.close)
        client = getattr(self._external, protocol)(name)
        self._manager.servers.enter()
        return client

    async def _open(self, resource: str, context: AbstractAsyncContextManager[Any]) -> Any:
        """Enter what is left in the end, unless the end comes first. Run it in the environment's context."""
        self._check_open(resource)
        task: Any = asyncio.current_task()
        self._opening.add(task)
        try:
            return await self._stack.enter_async_context(context)
        except asyncio.CancelledError:
            self._check_open(resource)
            raise
        finally:
            self._opening.discard(task)

    async def _close(self) -> None:
        """Leave what was entered, and what is about to be. Run it in the environment's context."""
        self._has_begun_to_close = True
        try:
            for task in self._opening:
                task.cancel()
            if self._opening:
                await asyncio.wait(self._opening)
        finally:
            await self._stack.aclose()

    async def _in_own_context(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await something as if the environment's maker did."""
        return await asyncio.create_task(work, context=self._context)


def _driver(key: str, environment: TestEnvironment, name: str | None) -> Any:
    return environment._driver(key, name)


_MAKERS: dict[str, Any] = {
    "database": TestEnvironment._database,
    "redis": TestEnvironment._redis,
    "redis_bytes": TestEnvironment._redis_bytes,
    "clickhouse": TestEnvironment._clickhouse,
    "http": TestEnvironment._http,
    "websocket": TestEnvironment._websocket,
    "filesystem": TestEnvironment._filesystem,
    "llm": TestEnvironment._llm,
    **{key: functools.partial(_driver, key) for key in DRIVERS},
}
