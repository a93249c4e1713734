"""What is measured of the demand, and what the strategy makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from realservices.optimization.demand import Demand
from realservices.optimization.machine_resources import Machine
from realservices.optimization.optimization_levels import OptimizationLevel, settings_for
from realservices.optimization.strategy import AdaptiveStrategy, ServerRoom

if TYPE_CHECKING:
    from tests.optimization.conftest import Clock

_MB = 2**20


def _demand(clock: Clock, *, makers: int = 1) -> Demand:
    demand = Demand(10.0, makers, clock)
    demand.made(0.01)
    return demand


def _strategy(clock: Clock, machine: Machine | None = None, **overrides: Any) -> AdaptiveStrategy:
    settings = settings_for(OptimizationLevel.CI_THOROUGH, overrides)
    return AdaptiveStrategy(settings, lambda: machine or Machine(4, 2**36), clock)


def _take(demand: Demand, clock: Clock, *, count: int, every_s: float) -> None:
    for _ in range(count):
        demand.take()
        clock.now += every_s


@pytest.mark.parametrize(
    ("every_s", "needed"),
    [
        (0.0, 8),  # A burst: all of it must be there.
        (0.005, 5),  # Twice as fast as they are made: every other one must be there.
        (0.01, 1),  # As fast as they are made: one, which the next take replaces.
        (1.0, 1),
    ],
)
def test_what_is_needed_follows_from_rate_and_make_time(clock: Clock, every_s: float, needed: int) -> None:
    demand = _demand(clock)
    _take(demand, clock, count=8, every_s=every_s)
    assert demand.needed() == needed


def test_needed_is_enough_to_serve_the_same_demand_again_and_one_less_is_not(clock: Clock) -> None:
    times = [0.0, 0.0, 0.002, 0.002, 0.011, 0.03, 0.03, 0.03, 0.031, 0.2]
    demand, begin = _demand(clock), clock.now
    for at in times:
        clock.now = begin + at
        demand.take()
    needed = demand.needed()

    def waits(ready: int) -> int:
        """Take from a pool that holds so many and makes one after the other to replace what was taken."""
        made_at: list[float] = [0.0] * ready
        waited = 0
        last_made = 0.0
        for at in times:
            last_made = max(last_made, at) + 0.01
            waited += made_at.pop(0) > at + 1e-9
            made_at.append(last_made)
        return waited

    assert waits(needed) == 0
    assert waits(needed - 1) > 0


def test_more_makers_need_fewer_ready(clock: Clock) -> None:
    one, two = _demand(clock), _demand(clock, makers=2)
    for _ in range(8):
        one.take()
        two.take()
        clock.now += 0.005
    assert two.needed() == 1 < one.needed()


def test_old_demand_is_forgotten(clock: Clock) -> None:
    demand = _demand(clock)
    _take(demand, clock, count=5, every_s=0.0)
    clock.now += 9
    demand.take()
    assert demand.needed() == 5
    clock.now += 2
    assert demand.needed() == 1
    clock.now += 9
    assert demand.needed() == 0


def test_waits_ask_for_one_more(clock: Clock) -> None:
    demand = _demand(clock)
    demand.take()
    assert (demand.needed(), demand.waits) == (1, 0)
    demand.waited(0.02)
    assert (demand.needed(), demand.waits, demand.waited_s) == (2, 1, 0.02)


def test_ready_databases_stay_within_the_level(clock: Clock) -> None:
    strategy, demand = _strategy(clock, min_ready_databases=2, max_ready_databases=6), _demand(clock)
    assert strategy.ready_databases(demand, 8 * _MB) == 2
    _take(demand, clock, count=4, every_s=0.0)
    assert strategy.ready_databases(demand, 8 * _MB) == 4
    _take(demand, clock, count=40, every_s=0.0)
    assert strategy.ready_databases(demand, 8 * _MB) == 6


def test_little_memory_bounds_databases_and_connections(clock: Clock) -> None:
    strategy, demand = _strategy(clock, Machine(4, 240 * _MB), memory_share=0.1), _demand(clock)
    _take(demand, clock, count=20, every_s=0.0)
    assert strategy.ready_databases(demand, 8 * _MB) == 3
    assert strategy.ready_databases(demand, 100 * _MB) == 0
    assert strategy.ready_databases(demand, 8 * _MB, used=2) == 1
    room = ServerRoom(max_connections=1000, reserved=3, others=0, clone_bytes=8 * _MB)
    assert strategy.connections(room, held=0, own=3) == 3
    assert strategy.connections(room, held=10, own=3) == 4  # Memory that they take is not counted as gone.


def test_without_pooling_nothing_is_ready(clock: Clock) -> None:
    strategy, demand = _strategy(clock, enable_resource_pooling=False), _demand(clock)
    _take(demand, clock, count=20, every_s=0.0)
    assert strategy.ready_databases(demand, 8 * _MB) == 0


@pytest.mark.parametrize(
    ("max_connections", "others", "pool_max_connections", "expected"),
    [
        (100, 0, 50, 47),  # The setting bounds: 50, less 3 of our own.
        (100, 0, 500, 84),  # The server bounds: 100, less 3 for superusers, 10 for others to come and 3 of our own.
        (100, 40, 500, 44),
        (100, 99, 500, 1),  # One must be tried, whatever the server says.
    ],
)
def test_connections_stay_within_what_the_server_allows(
    clock: Clock, max_connections: int, others: int, pool_max_connections: int, expected: int
) -> None:
    strategy = _strategy(clock, pool_max_connections=pool_max_connections, reserved_connections=10)
    room = ServerRoom(max_connections, reserved=3, others=others, clone_bytes=8 * _MB)
    assert strategy.connections(room, held=0, own=3) == expected


def test_one_cpu_makes_one_database_at_a_time(clock: Clock) -> None:
    assert _strategy(clock, Machine(1, 2**36), database_makers=4).makers == 1
    assert _strategy(clock, Machine(8, 2**36), database_makers=4).makers == 4


def test_machine_is_looked_at_again(clock: Clock) -> None:
    machines = iter([Machine(2, 1), Machine(2, 2)])
    strategy = AdaptiveStrategy(settings_for(OptimizationLevel.CI_FAST), lambda: next(machines), clock)
    assert strategy.machine.free_bytes == strategy.machine.free_bytes == 1
    clock.now += 2
    assert strategy.machine.free_bytes == 2
