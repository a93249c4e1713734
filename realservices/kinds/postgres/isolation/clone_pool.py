"""Databases cloned from a service's template, made ahead of the tests that use them and restored behind them.

All of it runs on the background loop with connections of its own; a test only waits where its clone is not ready yet.
A clone that cannot be restored (another schema, or a server that does not let us, see restore/) is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.databases import PRISTINE_DATABASE
from realservices.kinds.postgres.isolation.administration import Administration, quote_identifier
from realservices.kinds.postgres.isolation.clone import Clone
from realservices.kinds.postgres.isolation.clone_maker import CloneMaker
from realservices.kinds.postgres.isolation.doors import Doors
from realservices.kinds.postgres.isolation.lock_waits import LockWaits
from realservices.kinds.postgres.isolation.restore.restorer import Restorer
from realservices.kinds.postgres.isolation.server_use import ServerUse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator
    from concurrent.futures import Future

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.isolation.service_isolation import Finding
    from realservices.kinds.postgres.isolation.restore.cluster import State

# Where each clone serves one test, one in use and two ready hide the 4-10 ms of a clone behind a test of a few
# milliseconds; more only take memory. One that is restored is back before the next test asks, and one more hides the
# making of another one where tests change the schema.
_READY = 2
_TAKE_TIMEOUT_S = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Release:
    """What is known of a clone that its test has released; see `ClonePool.give_back`."""

    clone: Clone
    kept: tuple[int, ...]
    is_known: bool
    closes: bool
    test: str


class ClonePool:
    """Makes and drops clones for one process.

    Args:
        endpoint: The service; its `template_database` is what is cloned.
        background: Where the work is done.
        ready: Clones that are there already, used first.
        owner: What begins their names and what connections are called, where others must know whose they are.
        pristine: Name of the copy of the template that they are restored from.
        restores: Whether they are restored at all, which takes a connection for each.
        makers: How many clones to make at the same time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        ready: ReadyDatabases,
        owner: str = "",
        pristine: str = PRISTINE_DATABASE,
        *,
        restores: bool = True,
        makers: int = 1,
    ) -> None:
        self._background = background
        self._maker = CloneMaker(endpoint, ready, owner, connections=makers)
        self._expected = 0
        self._ready: deque[asyncio.Task[Clone]] = deque()
        # Another connection than the maker's, so that nobody who waits for a database waits for the end of another one.
        self.administration = Administration(endpoint, owner)
        self._restorer = Restorer(endpoint, self.administration, pristine, is_wanted=restores)
        # Where databases are dropped after each test that commits, the next test would wait for that.
        drops = not (restores and endpoint.disposable)
        self._guarding = Administration(endpoint, owner) if drops else self.administration
        self._doors = Doors(self._guarding)
        self._adopting: dict[str, asyncio.Task[None]] = {}
        shared = f"{ready.directory}/{endpoint.name}" if ready.directory else ""
        self.lock_waits = LockWaits(endpoint, owner, self._maker.prefix, ready.taken)
        self._server = ServerUse(endpoint, self._restorer, self._doors, self.lock_waits, shared)
        self._work: set[asyncio.Task[Any]] = set()
        self._checks: set[asyncio.Future[None]] = set()
        # What was released, and may not have been looked at yet.
        self._released: set[_Release] = set()
        self._taken = 0
        self._has_replaced = False
        self._has_given_back = False
        # Return backends that stay in a clone from test to test.
        self.kept_backends: list[Callable[[Clone], Collection[int]]] = []
        # Called with a clone whose name is no longer that of a database.
        self.on_gone: Callable[[Clone], None] = lambda _: None

    def expect(self, count: int) -> None:
        """Make clones ahead for ``count`` more uses. Errors surface in the test that needs a clone."""
        self._background.submit(self._expect(count))

    def take(self) -> Future[Clone]:
        """Return the future of a clone, one made ahead where there is one."""
        return self._background.submit(self._take())

    def take_now(self) -> Clone:
        """Return a clone, in a thread that may wait for it."""
        future = self.take()
        try:
            return future.result(_TAKE_TIMEOUT_S)
        except BaseException:
            future.cancel()  # Nobody would give it back.
            raise

    def reserve(self) -> Future[Clone]:
        """Return the future of a clone like that of `take`.

        Nobody may write to it before `close_to_others` or `begin_use`, or commit before `begin_use`.
        """
        return self._background.submit(self._reserve())

    def begin_use(self, clone: Clone) -> Future[None]:
        """Have a reserved clone as if it was taken. It is not opened, if it is closed."""
        return self._background.submit(self._begin_use(clone))

    @contextlib.contextmanager
    def changes_on_purpose(self) -> Iterator[None]:
        """Take for given what is changed meanwhile in the server as a whole: a fixture of a wider scope does it."""
        since = self._background.run(self._begin_outside(), _TAKE_TIMEOUT_S)
        try:
            yield
        finally:
            self._background.run(self._server.end_outside(since), _TAKE_TIMEOUT_S)

    def close_to_others(self, clone: Clone, own: Collection[int]) -> Future[bool]:
        """Have a clone admit nobody else; return whether nobody but ``own`` is there, by the backends' process ids."""
        return self._background.submit(self._close_to_others(clone, own))

    def open(self, clone: Clone) -> Future[None]:
        """Have a clone admit connections again."""
        return self._background.submit(self._open(clone))

    def is_closed_to_others(self, clone: Clone) -> bool:
        """Return whether a clone admits nobody else."""
        return self._doors.are_closed(clone.name)

    def make(self) -> Future[Clone]:
        """Return the future of a clone that nobody expected."""
        return self._background.submit(self._make())

    def give_back(
        self, clone: Clone, *, kept: Collection[int] = (), is_known: bool = True, closes: bool = False, test: str = ""
    ) -> Future[None]:
        """Restore or drop a clone, behind the tests. Nobody needs to wait for the future.

        Args:
            clone: What `take` has returned.
            kept: Process ids of backends that may stay connected: their sessions have been reset.
            is_known: Code under test knows the clone's name. It gets another one, so that whoever comes back does not
                come into the next test.
            closes: Whoever takes it wants it to admit nobody but those who are kept.
            test: Whose it was; by default the one that pytest runs now.
        """
        # The variable is pytest's, and says which test it is and in which phase.
        test = test or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        self._has_given_back = True
        release = _Release(clone, self._own(clone, kept), is_known, closes, test)
        self._released.add(release)
        return self._background.submit(self._give_back(release))

    @property
    def is_restoring(self) -> bool:
        """Whether something that was released may still have to be undone in the server as a whole."""
        return bool(self._released)

    def restored(self) -> Future[None]:
        """Return a future that is done when that is."""
        return self._background.submit(self._restored())

    @property
    def may_restore(self) -> bool:
        """Whether clones come back; where they do not, each serves one test."""
        return self._restorer.may_be_able

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once, when all is restored."""
        return self._background.run(self._find()) if self._has_given_back else []

    def drop(self, clone: Clone) -> Future[None]:
        """Drop a clone, behind the tests."""
        return self._background.submit(self._drop(clone))

    def close(self, *, drop: bool, timeout_s: float) -> None:
        """Disconnect; ``drop``: remove what was made ahead first, because the server goes on."""
        self._background.run(self._close(drop), timeout_s)

    async def _expect(self, count: int) -> None:
        self._expected += count
        self._make_ahead()

    async def _take(self) -> Clone:
        clone = await self._reserve()
        try:
            await self._open(clone)
            await self._begin_use(clone)
        except BaseException:
            self._taken -= 1
            raise
        return clone

    async def _reserve(self) -> Clone:
        ahead = self._ready.popleft() if self._ready else asyncio.ensure_future(self._make_restorable())
        self._expected = max(0, self._expected - 1)
        self._taken += 1
        self._make_ahead()
        try:
            try:
                return await ahead
            except IsolationError:  # Made ahead while a test had the server down.
                return await self._make_restorable()
        except BaseException:
            self._taken -= 1
            raise

    async def _begin_use(self, clone: Clone) -> None:
        await self._adopted(clone)
        with self._maker.explained():
            await self._restorer.know_server()
        # Also where its database was ready: the test before may have left something in the server as a whole.
        await self._restored()
        # Not before its database is there: restoring the one before may need the server for itself.
        await self._server.begin()

    async def _begin_outside(self) -> State | None:
        await self._restored()
        with self._maker.explained():
            await self._restorer.know_server()
        return await self._server.begin_outside()

    async def _restored(self) -> None:
        await asyncio.gather(*self._checks)

    async def _close_to_others(self, clone: Clone, own: Collection[int]) -> bool:
        await self._adopted(clone)
        with self._maker.explained():
            return await self._doors.close(clone.name, self._own(clone, own))

    def _own(self, clone: Clone, own: Collection[int]) -> tuple[int, ...]:
        """Return backends of ours in a clone: those given, and all that stay there."""
        return (*own, *(pid for kept in self.kept_backends for pid in kept(clone)))

    async def _open(self, clone: Clone) -> None:
        with self._maker.explained():
            await self._doors.open(clone.name)

    async def _give_back(self, release: _Release) -> None:
        self._taken -= 1
        self._server.end()
        if not self.may_restore:
            self._released.discard(release)
            await self._drop(release.clone)
            return
        check = asyncio.get_running_loop().create_future()
        check.add_done_callback(lambda _: self._released.discard(release))
        self._checks.add(check)
        renewed = self._quietly(self._renew(release, check))
        if self._is_wanted_again():
            self._ready.append(renewed)
        else:
            with contextlib.suppress(IsolationError):
                await self._drop(await renewed)

    async def _renew(self, release: _Release, check: asyncio.Future[None]) -> Clone:
        """Return the clone as it was before its test, or another one. ``check`` is done when another test may begin."""
        clone = release.clone
        try:
            name = await self._restored_name(release)
            dropped = None if name else self._quietly(self._drop(clone))
            if self._server.must_restore:
                await asyncio.gather(*[dropped] if dropped else [])
                await self._server.restore(release.test)
        finally:
            self._checks.discard(check)
            check.set_result(None)
        if name == clone.name:
            return clone
        if name:
            self.on_gone(clone)
            return Clone(clone.endpoint, name)
        self._has_replaced = True
        if not self._expected:
            raise IsolationError("not made ahead: no more tests are expected")
        return await self._make_restorable()

    async def _restored_name(self, release: _Release) -> str:
        """Restore a clone; return its name. Empty: it has to be dropped."""
        clone, kept = release.clone, release.kept
        try:
            await self._doors.open(clone.name)  # Restoring connects to it.
            name = await self._restorer.restore(clone.name, kept, self._maker.next_name(), is_known=release.is_known)
            if name and release.closes and not await self._doors.close(name, kept):
                return ""
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return ""
        return name

    async def _find(self) -> list[Finding]:
        await asyncio.gather(*self._ready, return_exceptions=True)
        return self._server.take_findings()

    def _is_wanted_again(self) -> bool:
        """Return whether a clone that comes back is going to be used."""
        return len(self._ready) < max(1, self._wanted())

    def _lacks_one(self) -> bool:
        """Return whether another clone should be made ahead."""
        # One that is in use comes back, where it can be restored.
        coming = self._taken if self._restorer.may_be_able else 0
        return len(self._ready) + coming < self._wanted()

    def _wanted(self) -> int:
        """Return how many clones there should be beside those of this moment's tests."""
        most = _READY if self._has_replaced or not self._restorer.may_be_able else 1
        return min(most, self._expected)

    def _make_ahead(self) -> None:
        while self._lacks_one():
            self._ready.append(self._quietly(self._make_restorable()))

    def _quietly(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        # A test that never comes must not turn its failed clone into a complaint at exit.
        if not task.cancelled():
            task.exception()

    async def _make_restorable(self) -> Clone:
        clone = await self._make()
        # Whoever waits for it can connect meanwhile.
        self._adopting[clone.name] = self._quietly(self._adopt(clone))
        return clone

    async def _adopt(self, clone: Clone) -> None:
        with self._maker.explained():
            await self._restorer.adopt(clone.name)

    async def _adopted(self, clone: Clone) -> None:
        """Wait until it is known what a clone is restored to."""
        if adopting := self._adopting.get(clone.name):
            await asyncio.wait([adopting])
            if adopting.exception():  # A test had the server down, for instance.
                await self._adopt(clone)
            self._adopting.pop(clone.name, None)

    async def _make(self) -> Clone:
        return await self._maker.make()

    async def _drop(self, clone: Clone) -> None:
        self.on_gone(clone)
        if adopting := self._adopting.pop(clone.name, None):
            await asyncio.wait([adopting])
        await self._restorer.forget(clone.name)
        try:
            await self.administration.execute(f"DROP DATABASE IF EXISTS {quote_identifier(clone.name)} WITH (FORCE)")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # The server may be stopped on purpose. A database that stays costs space, not isolation.
            return

    async def _close(self, drop: bool) -> None:
        self._expected = 0
        if not drop:
            for task in self._work:
                task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for task in self._ready if drop else ():
            with contextlib.suppress(IsolationError):
                await self._drop(await task)
        await self._restorer.close()
        self._server.close()
        await self.lock_waits.close(finish=drop)
        await self._maker.close(finish=drop)
        await self.administration.close(finish=drop)
        if self._guarding is not self.administration:
            await self._guarding.close(finish=drop)
