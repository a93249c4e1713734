"""The fixtures of this package that tests use in place of mocks, and the services that they bring."""

from __future__ import annotations

_SERVICES = {
    "isolated_clickhouse": ("clickhouse",),
    "isolated_redis": ("redis",),
    "analytics_testing_environment": ("clickhouse",),
    "auth_service_integration_environment": ("postgres", "redis"),
    "comprehensive_test_environment": ("postgres", "redis"),
    "performance_test_environment": ("postgres",),
    "websocket_integration_environment": (),
}
_POSTGRES = ("isolated_database", "cloned_database", "isolated_psycopg", "isolated_engine", "isolated_session")


def is_real_fixture(name: str) -> bool:
    """Return whether a fixture is one of this package's."""
    return name in _SERVICES or name.startswith(("isolated_clickhouse", "isolated_redis", *_POSTGRES))


def services_of(name: str) -> tuple[str, ...]:
    """Return the services that a fixture brings, by the names that their markers have."""
    if name.startswith(_POSTGRES):
        return ("postgres",)
    return next((services for known, services in _SERVICES.items() if name.startswith(known)), ())
