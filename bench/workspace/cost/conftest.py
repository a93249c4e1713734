"""Repeats every test BENCH_TESTS times and writes how long they took, all together, to result.json.

Its fixtures are what tests without isolation would share.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

_times: list[tuple[float, float]] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make many tests of one."""
    metafunc.parametrize("number", range(int(os.environ["BENCH_TESTS"])))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Time each test with its fixtures and reports."""
    begin = time.monotonic()
    result = yield
    _times.append((begin, time.monotonic()))
    return result


def pytest_unconfigure() -> None:
    """Write the sum from the second test on: the first one opens connections that all of them use."""
    measured = _times[1:]
    result = {
        "tests": len(measured),
        "total_ms": (measured[-1][1] - measured[0][0]) * 1000,
        "median_ms": statistics.median(end - begin for begin, end in measured) * 1000,
        "first_ms": (_times[0][1] - _times[0][0]) * 1000,
    }
    Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json").write_text(json.dumps(result), encoding="utf-8")


@pytest.fixture(scope="session")
def clickhouse_client() -> Iterator[Any]:
    """One client of the service's own database, without a session: sessions run one query at a time."""
    import clickhouse_connect  # noqa: PLC0415 - only where the test has ClickHouse

    client = clickhouse_connect.get_client(dsn=os.environ["CLICKHOUSE_URL"], autogenerate_session_id=False)
    yield client
    client.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def connection() -> AsyncIterator[Any]:
    """One connection to PostgreSQL."""
    import asyncpg  # noqa: PLC0415 - only where the test has PostgreSQL

    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def written_by_server() -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """Write to two tables and three keys, over connections that stay, and count the customers."""
    import asyncpg  # noqa: PLC0415 - only where the test has PostgreSQL
    import redis.asyncio  # noqa: PLC0415

    database = await asyncpg.connect(os.environ["DATABASE_URL"])
    cache = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])

    async def write(number: int) -> int:
        await database.execute("INSERT INTO customer (email, name) VALUES ($1, 'A')", f"{number}@example.com")
        await database.execute("INSERT INTO product (sku, title, price_cents) VALUES ($1, 'A', 1)", str(number))
        await cache.mset({f"{number}:{key}": "value" for key in range(3)})
        count: int = await database.fetchval("SELECT count(*) FROM customer")
        return count

    yield write
    await database.close()
    await cache.aclose()
