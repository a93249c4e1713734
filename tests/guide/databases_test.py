"""The migration guide's examples for PostgreSQL, Redis and files."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.guide import application


@pytest.mark.requires_postgres
async def test_user_creation(isolated_database: Any) -> None:
    user_id = await isolated_database.fetchval(
        "INSERT INTO users (email) VALUES ($1) RETURNING id",
        "test@example.com",
    )

    user = await isolated_database.fetchrow(
        "SELECT * FROM users WHERE id = $1",
        user_id,
    )
    assert user is not None
    assert user["email"] == "test@example.com"


@pytest.mark.parametrize("attempt", [1, 2])
async def test_service_under_test(isolated_database: Any, attempt: int) -> None:
    # The guide's template: real calls, real verification. Twice, because the first must leave nothing behind.
    user_id = await application.create_user(isolated_database, "test@example.com")

    actual_data = await isolated_database.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
    assert actual_data is not None
    assert actual_data["email"] == "test@example.com"


@pytest.mark.requires_redis
@pytest.mark.parametrize("attempt", [1, 2])
async def test_caching(isolated_redis: Any, attempt: int) -> None:
    assert await isolated_redis.get("user:user123") is None
    await application.set_user_cache(isolated_redis, "user123", {"name": "test"})

    cached_data = await isolated_redis.get("user:user123")
    assert cached_data is not None
    assert json.loads(cached_data) == {"name": "test"}


@pytest.mark.requires_postgres
@pytest.mark.requires_redis
async def test_with_dependencies(isolated_database: Any, isolated_redis: Any) -> None:
    assert await isolated_database.fetchval("SELECT 1") == 1
    assert await isolated_redis.ping()


async def test_file_operations(comprehensive_test_environment: Any) -> None:
    filesystem = comprehensive_test_environment["filesystem"]

    test_file = await filesystem.create_file(
        "test_config.json",
        '{"key": "value"}',
    )

    assert test_file.exists()
    content = await filesystem.read_file("test_config.json")
    assert "key" in content


async def test_performance_critical_operation(performance_test_environment: Any) -> None:
    db = performance_test_environment["database"]

    start_time = time.time()

    for i in range(1000):
        await db.execute(
            "INSERT INTO test_table (value) VALUES ($1)",
            f"value_{i}",
        )

    duration = time.time() - start_time
    assert duration < 5.0
    assert await db.fetchval("SELECT count(*) FROM test_table") == 1000


async def test_bulk_operations(performance_test_environment: Any) -> None:
    db = performance_test_environment["database"]
    assert await db.fetchval("SELECT count(*) FROM test_table") == 0
    await db.executemany("INSERT INTO test_table (value) VALUES ($1)", [(str(i),) for i in range(10_000)])
    assert await db.fetchval("SELECT count(*) FROM test_table") == 10_000
