"""Test sessions without a launcher: runs of pytest in processes of their own, and what they leave behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from realservices.contract.runtime import Endpoint
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

# What an inner run must not hear of: Bazel, the launcher, and an outer pytest-xdist.
_OUTER = ("BAZEL_TEST", "TEST_SRCDIR", "TEST_TARGET", "TEST_WORKSPACE", "XML_OUTPUT_FILE", "REALSERVICES_RUNTIME")
_XDIST = ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")
_PREFIXES = ("TEST_POSTGRES_", "TEST_REDIS_", "TEST_CLICKHOUSE_", "REALSERVICES_", "DATABASE_URL", "REDIS_URL")


@pytest.fixture
def launched_postgres() -> Endpoint:
    """The target's own PostgreSQL, as somebody else sees it."""
    return find_services().endpoint("postgres")


@pytest.fixture
def launched_redis() -> Endpoint:
    """The target's own Redis, as somebody else sees it."""
    return find_services().endpoint("redis")


@pytest.fixture
def launched_clickhouse() -> Endpoint:
    """The target's own ClickHouse, as somebody else sees it."""
    return find_services().endpoint("clickhouse")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No launcher, no session, no external service."""
    for name in list(os.environ):
        if name in (*_OUTER, *_XDIST) or name.startswith(_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return monkeypatch


@pytest.fixture
def external(launched_postgres: Endpoint, launched_redis: Endpoint, alone: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The target's own servers, as services that somebody else runs."""
    alone.setenv("TEST_POSTGRES_HOST", launched_postgres.host)
    alone.setenv("TEST_POSTGRES_PORT", str(launched_postgres.port))
    alone.setenv("TEST_POSTGRES_USER", launched_postgres.user)
    alone.setenv("TEST_POSTGRES_PASSWORD", launched_postgres.password)
    alone.setenv("TEST_POSTGRES_DB", str(launched_postgres.database))
    alone.setenv("TEST_REDIS_HOST", launched_redis.host)
    alone.setenv("TEST_REDIS_PORT", str(launched_redis.port))
    alone.setenv("TEST_REDIS_PASSWORD", launched_redis.password)
    return alone


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest with our plugin in a process of its own; warnings are errors."""

    def run_pytest(*arguments: str) -> pytest.RunResult:
        ours = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
        return pytester.runpytest_subprocess(*ours, *arguments, timeout=60)

    return run_pytest
