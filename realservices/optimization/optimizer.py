"""`PerformanceOptimizer`: limits, pools, strategy and monitor of one process, put together."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.optimization.limits import FairLimit
from realservices.optimization.monitor import PerformanceMonitor
from realservices.optimization.optimized_environment import MeasuredEnvironment
from realservices.optimization.pooled_manager import PooledIsolationManager
from realservices.optimization.strategy import AdaptiveStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.optimization.optimization_levels import OptimizationSettings


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """What was measured, and what the bounds are.

    Attributes:
        settings: As they were asked for.
        machine: CPUs and free memory.
        concurrent_tests: Limit, those that run now, those that wait, and the most there were at once.
        services: Pooled connections, connections and databases by service.
        environments: Statistics of ``wait``, ``set_up``, ``use`` and ``tear_down`` times.
        processes: CPU and memory of this process and of its services.
    """

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    concurrent_tests: Mapping[str, int]
    services: Mapping[str, Mapping[str, Any]]
    environments: Mapping[str, Any]
    processes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as what `json.dumps` takes."""
        return dataclasses.asdict(self)


class PerformanceOptimizer:
    """Gives environments in turn, on pooled services.

    Attributes:
        monitor: Measures.
        manager: The pools.

    Args:
        process: This process's manager.
        settings: The bounds.

    Raises:
        MissingPsutilError: psutil is not installed.
    """

    def __init__(self, process: IsolationManager, settings: OptimizationSettings) -> None:
        self._settings = settings
        self._strategy = AdaptiveStrategy(settings)
        self._loop = asyncio.get_running_loop()
        self.manager = PooledIsolationManager(process, self._strategy)
        self.monitor = PerformanceMonitor(process.services.control, settings.sample_interval_s)
        self._turns = self._limit_of_tests()

    def environment(
        self, test_id: str, resources: Sequence[str], names: Mapping[str, str] | None = None
    ) -> MeasuredEnvironment:
        """Return a test's environment, which waits for its turn when it is entered."""
        return MeasuredEnvironment(
            self.manager,
            test_id,
            resources,
            monitor=self.monitor,
            turns=self._turns,
            names=names,
            keep=self._settings.enable_resource_pooling and _runs_in(self._loop),
        )

    def report(self) -> PerformanceReport:
        """Return what was measured until now."""
        turns = self._turns
        return PerformanceReport(
            settings=dataclasses.asdict(self._settings),
            machine=dataclasses.asdict(self._strategy.machine),
            concurrent_tests={
                "limit": turns.limit,
                "running": len(turns.holders),
                "waiting": len(turns.waiting),
                "peak": turns.peak,
            },
            services=self.manager.measures(),
            **self.monitor.report(),
        )

    async def shut_down(self) -> None:
        """Close all pools."""
        await self.manager.shut_down()

    def _limit_of_tests(self) -> FairLimit:
        limit, name = self._settings.max_concurrent_tests, "max_concurrent_tests"
        remedy = "Raise max_concurrent_tests or acquire_timeout_s, or leave environments earlier"
        if self.manager.servers.names:
            # What servers have written is undone after each test, and nobody could tell whose it was.
            limit, name = 1, "max_concurrent_tests (declared servers use the databases: one test at a time)"
            remedy = "Leave the environment before another one is entered"
        return FairLimit(name, limit, timeout_s=self._settings.acquire_timeout_s, remedy=remedy)


def _runs_in(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether this is the loop in which the pools are going to be shut down, so that connections may be kept."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
