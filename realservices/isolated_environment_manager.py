"""`IsolatedEnvironmentManager`: isolated services for scripts, unittest and fixtures of one's own.

```python
manager = get_isolated_environment_manager()
await manager.initialize()
async with manager.create_test_environment("signup") as resources:
    await resources["database"].fetchval("SELECT 1")
await manager.shutdown()
```

Within pytest the plugin's fixtures are this, ready-made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.isolation.isolation_manager import IsolationManager, process_manager
from realservices.isolation.resources import all_resources
from realservices.isolation.test_environment import TestEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["IsolatedEnvironmentManager", "TestEnvironment", "get_isolated_environment_manager"]


class IsolatedEnvironmentManager:
    """Gives each test its own share of the services of this process.

    Where the services come from is found out as for the fixtures: the launcher of `bazel test`, servers that ``TEST_*``
    variables point at, or servers of this session's own (docs/pytest.md).

    Args:
        manager: The process's services; by default those that all managers of the process share.
    """

    def __init__(self, manager: IsolationManager | None = None) -> None:
        self._given = manager
        self._manager: IsolationManager | None = None
        self._environments: list[TestEnvironment] = []

    async def initialize(self) -> None:
        """Find the services. They start, unless the launcher has started them, when a test first uses them.

        Raises:
            RealServicesError: A description of services cannot be read.
        """
        self._manager = self._given or process_manager()

    def create_test_environment(
        self, test_id: str, resources: Iterable[str] | None = None, *, names: Mapping[str, str] | None = None
    ) -> TestEnvironment:
        """Return the environment of one test, to be entered with ``async with``.

        Args:
            test_id: What messages call the test.
            resources: Which keys it has: of ``database``, ``redis``, ``clickhouse``, ``http``, ``websocket``,
                ``filesystem`` and ``llm``; all by default.
            names: Services to use instead of the first of their kind, by key.

        Raises:
            IsolationError: Called before `initialize` or after `shutdown`, or for a key that there is not.
        """
        if self._manager is None:
            raise IsolationError(
                f"create_test_environment({test_id!r}): await initialize() of the IsolatedEnvironmentManager first"
            )
        keys = all_resources() if resources is None else tuple(resources)
        unknown = [key for key in keys if key not in all_resources()]
        if unknown:
            raise IsolationError(
                f"create_test_environment({test_id!r}): no resource {', '.join(map(repr, unknown))}; "
                f"there are {', '.join(all_resources())}"
            )
        environment = self._new_environment(self._manager, test_id, keys, names)
        self._environments = [*(each for each in self._environments if not each.is_left), environment]
        return environment

    def _new_environment(
        self, manager: IsolationManager, test_id: str, keys: Sequence[str], names: Mapping[str, str] | None
    ) -> TestEnvironment:
        return TestEnvironment(manager, test_id, keys, names=names)

    async def shutdown(self) -> None:
        """End the use of all services by this process. Environments that are still open are left."""
        manager, self._manager = self._manager, None
        environments, self._environments = self._environments, []
        for environment in environments:
            await environment.leave()
        if manager is not None:
            await manager.shut_down()


_MANAGERS: list[IsolatedEnvironmentManager] = []


def get_isolated_environment_manager() -> IsolatedEnvironmentManager:
    """Return this process's manager, the same one at each call."""
    if not _MANAGERS:
        _MANAGERS.append(IsolatedEnvironmentManager())
    return _MANAGERS[0]
