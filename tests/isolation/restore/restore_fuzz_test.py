"""Random tests, each on a database that is compared with the first one before it begins.

A larger run: `--test_env=STRESS_SCALE=200` (20,000 tests, an hour).
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.sources.services import find_services
from tests.isolation.restore.contents import contents
from tests.isolation.restore.operations import random_test

if TYPE_CHECKING:
    from collections.abc import Iterator

_TESTS = 100 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
# What is wrong in a large catalog stays wrong until the database is replaced.
_THOROUGH = 10
_TIMEOUT_S = 60
_STATEMENT_TIMEOUT_S = 10


@pytest.fixture
def pool() -> Iterator[ClonePool]:
    """A pool whose databases nobody else has."""
    services = find_services()
    endpoint = services.endpoint("postgres")
    background = BackgroundLoop()
    pool = ClonePool(endpoint, background, ReadyDatabases(endpoint, services.private))
    yield pool
    pool.close(drop=True, timeout_s=_TIMEOUT_S)
    background.stop()


async def test_each_test_finds_what_the_first_one_found(pool: ClonePool) -> None:
    pool.expect(_TESTS)
    first: dict[str, str] = {}
    last: list[Any] = []
    left: list[asyncpg.Connection] = []
    for number in range(_TESTS):
        rng = random.Random(f"{_SEED} {number}")
        clone = await asyncio.wrap_future(pool.take())
        connection = await asyncpg.connect(**clone.connect_kwargs)
        now = await contents(connection, thorough=number % _THOROUGH == 0)
        await connection.close()
        first = first or now
        names = now.keys() | (first.keys() if number % _THOROUGH == 0 else set())
        wrong = {name: (first.get(name), now.get(name)) for name in names if first.get(name) != now.get(name)}
        assert not wrong, f"test {number} found this; before it ran: {last}"
        last = random_test(rng)
        for connection in left:
            connection.terminate()  # Of the test before: the server has ended them.
        left = await _run(clone.connect_kwargs, last)
        pool.give_back(clone, is_known=rng.random() < 0.5)
    assert [finding.text for finding in pool.findings()] == []
    for connection in left:
        connection.terminate()


async def _run(connect_kwargs: dict[str, Any], groups: list[tuple[int, list[str]]]) -> list[asyncpg.Connection]:
    """Run a test; return the connections that it leaves open."""
    connections: dict[int, asyncpg.Connection] = {}
    for number, statements in groups:
        if number not in connections:
            try:
                connections[number] = await asyncpg.connect(**connect_kwargs)
            except asyncpg.PostgresError:
                return list(connections.values())  # The test has changed what is needed for that.
            await connections[number].execute("SET lock_timeout = '10ms'")
        for statement in statements:
            try:
                await connections[number].execute(statement, timeout=_STATEMENT_TIMEOUT_S)
            except (asyncpg.PostgresError, TimeoutError):
                continue
    for number, connection in connections.items():
        if number % 2:
            connection.terminate()
    return [connection for number, connection in connections.items() if number % 2 == 0]
