"""`performance_test_environment`: alone, quick, measured."""

from __future__ import annotations

import time
from typing import Any

import pytest

_COPIES = pytest.mark.parametrize("copy", range(3))


@_COPIES
async def test_each_test_has_a_database_and_keys_of_its_own(performance_test_environment: Any, copy: int) -> None:
    database, redis = performance_test_environment["database"], performance_test_environment["redis"]
    await database.execute("BEGIN; CREATE TABLE ledger (entry text PRIMARY KEY); COMMIT")
    await database.execute("INSERT INTO ledger VALUES ('only')")
    assert await redis.setnx("only", 1)
    assert not await performance_test_environment["filesystem"].exists("only.txt")
    await performance_test_environment["filesystem"].create_file("only.txt")


async def test_thousand_single_inserts(performance_test_environment: Any) -> None:
    database = performance_test_environment["database"]
    await database.execute("CREATE TABLE test_table (value text)")
    begin = time.monotonic()
    for i in range(1000):
        await database.execute("INSERT INTO test_table (value) VALUES ($1)", f"value_{i}")
    assert time.monotonic() - begin < 5.0
    assert await database.fetchval("SELECT count(*) FROM test_table") == 1000


async def test_connection_is_a_plain_one(performance_test_environment: Any) -> None:
    connection = await performance_test_environment["database"].connection()
    async with connection.transaction(isolation="serializable"):  # What a transaction within another one cannot be.
        assert await connection.fetchval("SHOW transaction_isolation") == "serializable"


async def test_monitor_has_measured_the_tests_before(performance_test_environment: Any) -> None:
    monitor = performance_test_environment["monitor"]
    assert monitor.times()["use"].count >= 1
    assert monitor.report()["processes"]["this process"]["rss_mb"] > 1
    assert set(performance_test_environment) == {"database", "redis", "redis_bytes", "filesystem", "monitor"}
