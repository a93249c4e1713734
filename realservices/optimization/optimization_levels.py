"""The levels of optimization: how much of the machine and of its servers one test process may take.

A level is a set of upper and lower bounds. Between them `strategy` decides by what it measures.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from collections.abc import Mapping


class OptimizationLevel(enum.Enum):
    """What the tests are run for."""

    DEVELOPMENT = "development"
    CI_FAST = "ci_fast"
    CI_THOROUGH = "ci_thorough"
    PERFORMANCE = "performance"


class OptimizationSettingsError(RealServicesError):
    """A setting that does not exist, or that cannot have this value."""


def _within(least: float, most: float) -> Any:
    return field(metadata={"least": least, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizationSettings:
    """The bounds within which pools adapt.

    Attributes:
        max_concurrent_tests: Environments at once; further ones wait in the order in which they came.
        pool_max_connections: Connections to one PostgreSQL service, our administrative ones included. What the server
            itself allows is a bound, too.
        reserved_connections: How many of the server's connections stay free for others: programs under test, other
            pytest-xdist workers.
        enable_resource_pooling: Whether connections and databases serve one test after the other and are made ahead.
            Without it each environment gets new ones.
        min_ready_databases: Clones that are ready even without demand.
        max_ready_databases: Clones that are ready at most, whatever the demand.
        database_makers: Connections over which clones are made at the same time; no more than there are CPUs.
        memory_share: Which part of the memory that is free may hold clones: their files usually lie in memory.
        demand_window_s: How long demand is remembered. Demand older than that no longer keeps anything ready.
        acquire_timeout_s: How long an environment or a statement waits for its turn.
        sample_interval_s: How old the numbers of services' processes may be when an environment ends.
    """

    max_concurrent_tests: int = _within(1, 10_000)
    pool_max_connections: int = _within(2, 10_000)
    reserved_connections: int = _within(0, 10_000)
    enable_resource_pooling: bool
    min_ready_databases: int = _within(0, 1000)
    max_ready_databases: int = _within(0, 1000)
    database_makers: int = _within(1, 16)
    memory_share: float = _within(0.0, 1.0)
    demand_window_s: float = _within(0.0, 3600.0)
    acquire_timeout_s: float = _within(0.0, 3600.0)
    sample_interval_s: float = _within(0.0, 3600.0)


_LEVELS = {
    # Beside an editor and a browser: nothing is kept that is not in use, and one server process works at a time.
    OptimizationLevel.DEVELOPMENT: OptimizationSettings(
        max_concurrent_tests=4,
        pool_max_connections=10,
        reserved_connections=20,
        enable_resource_pooling=True,
        min_ready_databases=0,
        max_ready_databases=2,
        database_makers=1,
        memory_share=0.02,
        demand_window_s=2.0,
        acquire_timeout_s=30.0,
        sample_interval_s=5.0,
    ),
    # Several test actions share the machine, so each takes little, and tests are short: demand is forgotten soon.
    OptimizationLevel.CI_FAST: OptimizationSettings(
        max_concurrent_tests=16,
        pool_max_connections=30,
        reserved_connections=20,
        enable_resource_pooling=True,
        min_ready_databases=1,
        max_ready_databases=8,
        database_makers=2,  # Two make twice as many as one; four are no faster than two.
        memory_share=0.05,
        demand_window_s=5.0,
        acquire_timeout_s=60.0,
        sample_interval_s=2.0,
    ),
    # Long suites with many tests at once. Tests may take long, so waiting long is no sign of a mistake.
    OptimizationLevel.CI_THOROUGH: OptimizationSettings(
        max_concurrent_tests=50,
        pool_max_connections=100,
        reserved_connections=10,
        enable_resource_pooling=True,
        min_ready_databases=2,
        max_ready_databases=32,
        database_makers=2,
        memory_share=0.1,
        demand_window_s=10.0,
        acquire_timeout_s=120.0,
        sample_interval_s=1.0,
    ),
    # The machine is ours: what a measured test needs is there before it begins, and nothing samples meanwhile.
    OptimizationLevel.PERFORMANCE: OptimizationSettings(
        max_concurrent_tests=100,
        pool_max_connections=200,
        reserved_connections=5,
        enable_resource_pooling=True,
        min_ready_databases=4,
        max_ready_databases=64,
        database_makers=2,
        memory_share=0.25,
        demand_window_s=30.0,
        acquire_timeout_s=60.0,
        sample_interval_s=30.0,
    ),
}


def settings_for(level: OptimizationLevel, overrides: Mapping[str, Any] | None = None) -> OptimizationSettings:
    """Return a level's settings with some replaced.

    Raises:
        OptimizationSettingsError: A setting does not exist or cannot have this value.
    """
    if not isinstance(level, OptimizationLevel):
        names = ", ".join(f"OptimizationLevel.{each.name}" for each in OptimizationLevel)
        raise OptimizationSettingsError(f"level {level!r}: expected one of {names}")
    known = {each.name: each for each in dataclasses.fields(OptimizationSettings)}
    for key, value in (overrides or {}).items():
        if key not in known:
            raise OptimizationSettingsError(f"no setting {key!r} (value {value!r}); there are {', '.join(known)}")
        _check(known[key], value)
    settings = dataclasses.replace(_LEVELS[level], **dict(overrides or {}))
    if settings.min_ready_databases > settings.max_ready_databases:
        raise OptimizationSettingsError(
            f"min_ready_databases = {settings.min_ready_databases} is more than max_ready_databases = "
            f"{settings.max_ready_databases} (level {level.name}); set both"
        )
    return settings


def _check(setting: dataclasses.Field[Any], value: Any) -> None:
    """Refuse a value that a setting cannot have. The annotations are text here: int, float or bool."""
    if setting.type == "bool":
        if not isinstance(value, bool):
            raise OptimizationSettingsError(f"{setting.name} = {value!r}: expected True or False")
        return
    kinds: tuple[type, ...] = (int,) if setting.type == "int" else (int, float)
    least, most = setting.metadata["least"], setting.metadata["most"]
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        what = "a whole number" if setting.type == "int" else "a number"
        raise OptimizationSettingsError(f"{setting.name} = {value!r}: expected {what} from {least:g} to {most:g}")
