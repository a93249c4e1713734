"""Many environments at once, on pools that adapt to the demand and to the machine.

```python
manager = create_optimized_environment_manager(
    OptimizationLevel.CI_THOROUGH,
    {"max_concurrent_tests": 50, "pool_max_connections": 100, "enable_resource_pooling": True},
)
await manager.initialize()
async with manager.create_test_environment("signup") as resources:
    await resources["database"].fetchval("SELECT 1")
print(manager.report().as_json())
await manager.shutdown()
```

It is for one process that runs many tests at the same time, by `asyncio.gather` for instance. Tests that run one after
the other gain nothing by it: the plugin's fixtures keep connections and make databases ahead as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.isolated_environment_manager import IsolatedEnvironmentManager
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolation_manager import process_manager
from realservices.optimization.limits import PoolTimeoutError
from realservices.optimization.machine_resources import MissingPsutilError
from realservices.optimization.monitor import PerformanceMonitor
from realservices.optimization.optimization_levels import (
    OptimizationLevel,
    OptimizationSettings,
    OptimizationSettingsError,
    settings_for,
)
from realservices.optimization.optimizer import PerformanceOptimizer, PerformanceReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.test_environment import TestEnvironment

__all__ = [
    "MissingPsutilError",
    "OptimizationLevel",
    "OptimizationSettings",
    "OptimizationSettingsError",
    "OptimizedEnvironmentManager",
    "PerformanceMonitor",
    "PerformanceOptimizer",
    "PerformanceReport",
    "PoolTimeoutError",
    "create_optimized_environment_manager",
]


class OptimizedEnvironmentManager(IsolatedEnvironmentManager):
    """An `IsolatedEnvironmentManager` for many tests at once.

    Environments beyond ``max_concurrent_tests`` wait in order when they are entered. Use it in one event loop, from
    `initialize` to `shutdown`.

    Args:
        settings: The bounds.
        manager: The process's services; by default those that all managers of the process share.
    """

    def __init__(self, settings: OptimizationSettings, manager: IsolationManager | None = None) -> None:
        super().__init__(manager)
        self.settings = settings
        self._optimizer: PerformanceOptimizer | None = None

    @property
    def optimizer(self) -> PerformanceOptimizer:
        """Limits, pools and monitor.

        Raises:
            IsolationError: Called before `initialize` or after `shutdown`.
        """
        if self._optimizer is None:
            raise IsolationError("await initialize() of the OptimizedEnvironmentManager first")
        return self._optimizer

    async def initialize(self) -> None:
        """Find the services and look at the machine. A second time does nothing.

        Raises:
            MissingPsutilError: psutil is not installed.
            RealServicesError: A description of services cannot be read.
        """
        if self._optimizer is None:
            self._optimizer = PerformanceOptimizer(self._given or process_manager(), self.settings)
            self._manager = self._optimizer.manager

    def report(self) -> PerformanceReport:
        """Return what was measured until now."""
        return self.optimizer.report()

    async def shutdown(self) -> None:
        """Close connections and drop databases. The process's other managers and fixtures go on."""
        self._optimizer = None
        await super().shutdown()

    def _new_environment(
        self, manager: IsolationManager, test_id: str, keys: Sequence[str], names: Mapping[str, str] | None
    ) -> TestEnvironment:
        return self.optimizer.environment(test_id, keys, names)


def create_optimized_environment_manager(
    level: OptimizationLevel, overrides: Mapping[str, Any] | None = None
) -> OptimizedEnvironmentManager:
    """Return a manager with the settings of a level.

    Args:
        level: What the tests are run for.
        overrides: Settings to replace, by the names of `OptimizationSettings`.

    Raises:
        OptimizationSettingsError: A setting does not exist or cannot have this value.
    """
    return OptimizedEnvironmentManager(settings_for(level, overrides))
