"""Levels, and settings that replace theirs."""

from __future__ import annotations

from typing import Any

import pytest

from realservices.optimization.optimization_levels import OptimizationLevel, OptimizationSettingsError, settings_for


def test_development_takes_least_and_performance_most() -> None:
    order = (
        OptimizationLevel.DEVELOPMENT,
        OptimizationLevel.CI_FAST,
        OptimizationLevel.CI_THOROUGH,
        OptimizationLevel.PERFORMANCE,
    )
    assert set(order) == set(OptimizationLevel)
    for name in ("max_concurrent_tests", "pool_max_connections", "min_ready_databases", "max_ready_databases"):
        values = [getattr(settings_for(level), name) for level in order]
        assert values == sorted(set(values)), name


def test_overrides_replace_what_they_name_and_no_more() -> None:
    usual = settings_for(OptimizationLevel.CI_FAST)
    settings = settings_for(OptimizationLevel.CI_FAST, {"max_concurrent_tests": 7, "memory_share": 1})
    assert (settings.max_concurrent_tests, settings.memory_share) == (7, 1)
    assert settings.pool_max_connections == usual.pool_max_connections


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"max_tests": 5}, r"no setting 'max_tests' \(value 5\); there are max_concurrent_tests, pool_max_connections"),
        ({"max_concurrent_tests": 0}, "max_concurrent_tests = 0: expected a whole number from 1 to 10000"),
        ({"max_concurrent_tests": "50"}, "max_concurrent_tests = '50': expected a whole number"),
        ({"max_concurrent_tests": 2.5}, "max_concurrent_tests = 2.5: expected a whole number"),
        ({"max_concurrent_tests": True}, "max_concurrent_tests = True: expected a whole number"),
        ({"pool_max_connections": 1}, "pool_max_connections = 1: expected a whole number from 2 to"),
        ({"enable_resource_pooling": 1}, "enable_resource_pooling = 1: expected True or False"),
        ({"memory_share": 1.5}, "memory_share = 1.5: expected a number from 0 to 1"),
        ({"min_ready_databases": 9}, "min_ready_databases = 9 is more than max_ready_databases = 8 .*set both"),
    ],
)
def test_error_names_setting_value_and_what_is_allowed(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(OptimizationSettingsError, match=message):
        settings_for(OptimizationLevel.CI_FAST, overrides)


def test_level_must_be_one() -> None:
    level: Any = "ci_fast"
    with pytest.raises(OptimizationSettingsError, match=r"level 'ci_fast': expected one of OptimizationLevel.DEV"):
        settings_for(level)
