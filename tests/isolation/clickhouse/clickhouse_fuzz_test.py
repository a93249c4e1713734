"""Random tests in databases that others had before them, and in new ones.

Both must answer the same, and behind each test the server is as before. A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import dataclasses
import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.database import ClickHouseDatabaseSync
from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation
from realservices.kinds.clickhouse.isolation.leftovers import Leftovers
from realservices.sources.services import find_services
from tests.isolation.clickhouse import clickhouse_operations as operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint

_TESTS = 6 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_MOST_STEPS = 10
_CODE = re.compile(r"code:? (\d+)", re.IGNORECASE)
_SERVER = (
    "SELECT name FROM system.databases WHERE NOT startsWith(name, 'realservices_') ORDER BY name",
    "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined' ORDER BY name",
    "SELECT name FROM system.named_collections ORDER BY name",
    "SELECT name FROM system.tables WHERE database = 'default' ORDER BY name",
    "SELECT name FROM system.workloads",
    "SELECT name FROM system.resources",
)


@pytest.fixture
def endpoint() -> Endpoint:
    return find_services().endpoint("clickhouse")


@pytest.fixture
def process(endpoint: Endpoint, tmp_path: Path) -> Iterator[Callable[[], ClickHouseIsolation]]:
    made: list[ClickHouseIsolation] = []
    none_ready = ReadyDatabases(dataclasses.replace(endpoint, ready_databases=()), "")

    def new() -> ClickHouseIsolation:
        made.append(ClickHouseIsolation(endpoint, none_ready, Leftovers(endpoint, str(tmp_path))))
        return made[-1]

    yield new
    for isolation in made:
        isolation.close(drop=True)


def test_same_answers_as_in_a_new_database(endpoint: Endpoint, process: Callable[[], ClickHouseIsolation]) -> None:
    used, new = process(), process()
    used.expect(2 * _TESTS)
    connection = ClickHouseConnection(endpoint)
    before = [connection.run(statement) for statement in _SERVER]
    for number in range(_TESTS):
        steps = _random_steps(random.Random(f"{_SEED} {number}"))
        answers = []
        for isolation in (used, new):
            answers.append(_answers(isolation, steps))
            left = [connection.run(statement) for statement in _SERVER]
            assert left == before, f"test {number}: {steps}"
        pairs = list(zip(steps, *answers, strict=True))
        wrong = next((n for n, (_, one, other) in enumerate(pairs) if one != other), None)
        assert wrong is None, f"test {number}:\n" + "\n".join(map(str, pairs[: (wrong or 0) + 1]))
    connection.close()


def _random_steps(rng: random.Random) -> list[str]:
    kinds = rng.choice(
        (
            [operations.READS, operations.WRITES],
            [operations.READS, operations.WRITES],
            [operations.READS, operations.WRITES, operations.CHANGES],
        )
    )
    steps = [f"SELECT * FROM {table} ORDER BY ALL" for table in rng.sample(operations.TABLES, 3)]
    steps += [rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(1, _MOST_STEPS))]
    return [step.replace("{n}", str(rng.randrange(1, 4))).replace("{m}", str(rng.randrange(4, 6))) for step in steps]


def _answers(isolation: ClickHouseIsolation, steps: list[str]) -> list[Any]:
    with isolation.lease() as lease:
        database = isolation.of_lease(ClickHouseDatabaseSync, lease)
        try:
            return [_answer(database, step.replace("{own}", database.database)) for step in steps]
        finally:
            database.end()


def _answer(database: ClickHouseDatabaseSync, step: str) -> Any:
    try:
        return database.execute(step)
    except ClickHouseError as error:
        code = _CODE.search(str(error))
        return code[1] if code else str(error)
