"""Optimized managers and pools of a test's own, on the target's real services."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.pool.pool import PostgresPool
from realservices.optimization.machine_resources import Machine
from realservices.optimization.optimization_levels import OptimizationLevel, settings_for
from realservices.optimization.strategy import AdaptiveStrategy
from realservices.performance_optimization import OptimizedEnvironmentManager, create_optimized_environment_manager
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from realservices.contract.runtime import Endpoint


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres_endpoint() -> Endpoint:
    return find_services().endpoint("postgres")


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest_asyncio.fixture
async def make_pool(
    postgres_endpoint: Endpoint, background: BackgroundLoop, clock: Clock
) -> AsyncIterator[Callable[..., PostgresPool]]:
    """Makes pool for a machine and with settings of the test's choice, by its clock."""
    made: list[PostgresPool] = []

    def make(*, machine: Machine | None = None, clock: Callable[[], float] = clock, **overrides: Any) -> PostgresPool:
        settings = settings_for(OptimizationLevel.CI_FAST, {"reserved_connections": 2, **overrides})
        strategy = AdaptiveStrategy(settings, lambda: machine or Machine(2, 2**36), clock)
        none_ready = ReadyDatabases(dataclasses.replace(postgres_endpoint, ready_databases=()), "")
        made.append(PostgresPool(postgres_endpoint, background, none_ready, strategy))
        return made[-1]

    yield make
    for pool in made:
        await pool.close_loop()
        pool.close(drop=True)


@pytest_asyncio.fixture
async def start_manager() -> AsyncIterator[Callable[..., Any]]:
    """Makes and initializes a manager of CI_THOROUGH."""
    made: list[OptimizedEnvironmentManager] = []

    async def start(**overrides: Any) -> OptimizedEnvironmentManager:
        made.append(create_optimized_environment_manager(OptimizationLevel.CI_THOROUGH, overrides))
        await made[-1].initialize()
        return made[-1]

    yield start
    for manager in made:
        await manager.shutdown()
