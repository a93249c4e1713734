"""One test's share of everything: databases, servers, files, each made when the test first asks for it.

`TestEnvironment` is what the environment fixtures and `IsolatedEnvironmentManager.create_test_environment` give: a
mapping from resource to client. Subscripts do not block on anything but a service that has yet to start.

Where the target declares servers of its own (executable_service), databases are the very ones that these servers use,
and are restored after the test (server_state.py). Otherwise they are isolated as the single fixtures are.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from realservices.clients.isolated_filesystem import new_filesystem
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolated_kind import isolated_kind
from realservices.isolation.resources import FILESYSTEM, all_resources, kind_of
from realservices.sources.errors import MissingServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager

    from realservices.external_service_integration import ExternalServiceManager
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.shares import Shares


class TestEnvironment(Mapping[str, Any]):
    """What one test has of its services.

    Iterating yields the resources that are available here. A subscript with another one of them calls ``missing``.

    Attributes:
        test_id: The test's name, for messages.
        is_left: It is over; nothing of it can be used any more.
        manager: The process's services.
        service_names: Services to use instead of the first of their kind, by resource.
        keep: The running loop serves later tests, too, so that connections are worth keeping.
        isolation: What ``database`` is: ``transaction`` or ``database``.
        stack: What its end leaves.

    Args:
        manager: See above.
        test_id: See above.
        resources: Which keys this environment has; by default all.
        names: See above.
        missing: Called with the error when a resource is not available; by default the error is raised.
        keep: See above.
        isolation: See above; by default what the target says.
    """

    __test__ = False  # The name is the domain's; pytest must not collect it.

    def __init__(
        self,
        manager: IsolationManager,
        test_id: str,
        resources: Iterable[str] | None = None,
        *,
        names: Mapping[str, str] | None = None,
        missing: Callable[[MissingServiceError], None] | None = None,
        keep: bool = False,
        isolation: str = "",
    ) -> None:
        self.test_id = test_id
        self.is_left = False
        self.manager = manager
        self._resources = all_resources() if resources is None else tuple(resources)
        self.service_names = names or {}
        self._missing = missing
        self.keep = keep
        self.isolation = isolation or manager.isolation
        self._made: dict[str, Any] = {}
        # Tasks that clients start must belong to the environment: those of the test itself are cancelled before it.
        self._context = contextvars.copy_context()
        self.stack = contextlib.AsyncExitStack()
        self._opening: set[asyncio.Task[Any]] = set()
        self._has_begun_to_close = False
        self._external: ExternalServiceManager | None = None
        self._shares: dict[str, Shares] = {}

    def __getitem__(self, resource: str) -> Any:
        if resource not in self._resources:
            raise KeyError(f"{resource!r}: this environment has {', '.join(self._resources)}")
        self._check_open(resource)
        if resource not in self._made:
            try:
                self._made[resource] = self._make(resource, self.service_names.get(resource))
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
        return resource in self._resources and self.manager.has(str(resource), self.service_names.get(str(resource)))

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
            self.manager.servers.leave()

    def _check_open(self, resource: str) -> None:
        if self.is_left:
            raise IsolationError(
                f"{resource!r}: the environment of {self.test_id} is over; do not keep it beyond its test"
            )

    async def entered(self, resource: str, context: AbstractAsyncContextManager[Any]) -> Any:
        """Enter a context manager that is left with the environment, and return what it gives.

        Args:
            resource: What it is for, for messages.
            context: The context manager.
        """
        return await self._in_own_context(self._open(resource, context))

    def _make(self, resource: str, name: str | None) -> Any:
        kind = kind_of(resource)
        if kind is not None:
            if kind.name not in self._shares:
                self._shares[kind.name] = isolated_kind(kind.name).shares(self)
            return self._shares[kind.name].make(resource, name)
        if resource != FILESYSTEM:
            return self._served(resource, name)
        files = new_filesystem(self.manager.services.sandbox)
        self.stack.callback(files.blocking.remove_all)
        return files

    def _served(self, protocol: str, name: str | None) -> Any:
        """Make a client of a server; what the server writes is undone in the end."""
        if self._external is None:
            from realservices.external_service_integration import ExternalServiceManager  # noqa: PLC0415 - for its users

            # A WebSocket's reader is a task, which belongs to the code that makes the manager.
            self._external = self._context.run(ExternalServiceManager, self.manager.services)
            self.stack.push_async_callback(self._external.close)
        client = getattr(self._external, protocol)(name)
        self.manager.servers.enter()
        return client

    async def _open(self, resource: str, context: AbstractAsyncContextManager[Any]) -> Any:
        """Enter what is left in the end, unless the end comes first. Run it in the environment's context."""
        self._check_open(resource)
        task: Any = asyncio.current_task()
        self._opening.add(task)
        try:
            return await self.stack.enter_async_context(context)
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
            await self.stack.aclose()

    async def _in_own_context(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await something as if the environment's maker did."""
        return await asyncio.create_task(work, context=self._context)
