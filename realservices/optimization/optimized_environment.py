"""One test's environment in its turn, with its times measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from realservices.isolation.test_environment import TestEnvironment
from realservices.optimization.monitor import CURRENT_TEST, Measured

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.optimization.limits import FairLimit, Permit
    from realservices.optimization.monitor import PerformanceMonitor


class MeasuredEnvironment(TestEnvironment):
    """A `TestEnvironment` that tells the monitor what it took. Entering it may mean waiting.

    Args:
        manager: The process's services.
        test_id: The test's name, for messages.
        resources: Its keys.
        monitor: Records what is used; the environment gives it as ``monitor``.
        turns: How many environments there may be at once; None: no limit.
        options: Further arguments of `TestEnvironment`.
    """

    def __init__(
        self,
        manager: IsolationManager,
        test_id: str,
        resources: Iterable[str],
        *,
        monitor: PerformanceMonitor,
        turns: FairLimit | None = None,
        **options: Any,
    ) -> None:
        super().__init__(manager, test_id, resources, **options)
        self._monitor = monitor
        self._turns = turns
        self._turn: Permit | None = None
        self._measured = Measured(test_id)
        self._context.run(CURRENT_TEST.set, self._measured)

    def __getitem__(self, resource: str) -> Any:
        if resource == "monitor" and resource in self._resources:
            return self._monitor
        if resource in self._made:
            return super().__getitem__(resource)
        token = CURRENT_TEST.set(self._measured)
        try:
            with self._measured.setting_up():
                return super().__getitem__(resource)
        finally:
            CURRENT_TEST.reset(token)

    def __contains__(self, resource: object) -> bool:
        return resource in self._resources if resource == "monitor" else super().__contains__(resource)

    async def __aenter__(self) -> TestEnvironment:
        self._measured.entered = time.monotonic()
        if self._turns is not None:
            self._turn = await self._turns.acquire(self.test_id)
            self._measured.wait_s += self._turn.waited_s
        return await super().__aenter__()

    async def leave(self) -> None:
        """Give everything back, the turn last, and tell the monitor. Once is enough."""
        if self.is_left:
            return
        begin = time.monotonic()
        try:
            await super().leave()
        finally:
            self._measured.tear_down_s = time.monotonic() - begin
            if self._turn is not None:
                self._turn.release()
            self._monitor.environment_ended(self._measured)

    async def _in_own_context(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self.is_left:
            return await super()._in_own_context(work)
        with self._measured.setting_up():
            return await super()._in_own_context(work)
