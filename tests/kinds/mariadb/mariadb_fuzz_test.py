"""Random statements over `isolated_mariadb` and over a plain connection to a database of its own.

Both must answer the same, until something is refused in words. Behind each test the database and the server are as
before. A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any

import asyncmy.errors
import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation
from realservices.kinds.mariadb.isolation.server_objects import server_objects, variables
from realservices.kinds.mariadb.wire import Connection
from tests.kinds.mariadb import operations
from tests.kinds.mariadb.content import content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint

_TESTS = 15 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_MOST_STEPS = 16
_REFUSED = "'refused'"
_OWN_NAME = re.compile(r"realservices_own_\d+_\d+")


@pytest.fixture
def isolation(endpoint: Endpoint, tmp_path: Path) -> Iterator[MariaDBIsolation]:
    (tmp_path / "x.own").mkdir()
    isolation = MariaDBIsolation(endpoint, str(tmp_path / "x.own"), is_tests_own=True)
    yield isolation
    isolation.close(drop=True)


async def test_same_answers_as_over_a_plain_connection(isolation: MariaDBIsolation, endpoint: Endpoint) -> None:
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as server:
        before = _content(server, str(endpoint.database))
        for number in range(_TESTS):
            steps = _random_steps(random.Random(f"{_SEED} {number}"))
            with isolation.database() as database:
                plain = await _answers(await database.connect(), steps)
            async with isolation.transaction() as connection:
                name = isolation._own._name
                held = await _answers(connection, steps)
            pairs = list(zip(steps, plain, held, strict=False))
            wrong = next((n for n, (_, one, other) in enumerate(pairs) if other not in (one, _REFUSED)), None)
            assert wrong is None, f"test {number}:\n" + "\n".join(map(str, pairs[: (wrong or 0) + 1]))
            if isolation._own._name == name:
                assert _content(server, name) == before, f"test {number}: {steps}"


async def test_each_test_finds_the_server_as_it_was(isolation: MariaDBIsolation, endpoint: Endpoint) -> None:
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as server:
        original = variables(server)
        before = server_objects(server, original)
        rows = _content(server, str(endpoint.database))
        for number in range(_TESTS):
            rng = random.Random(f"{_SEED} {number}")
            steps = [
                rng.choice(operations.LEFT).replace("{n}", str(rng.randrange(1, 4))) for _ in range(rng.randrange(1, 5))
            ]
            if rng.random() < 0.5:
                with isolation.database() as database:
                    connection = await database.connect(autocommit=True)
                    for step in steps:
                        await _answer(connection, step)
                    if rng.random() < 0.5 or "USE mysql" in steps:  # A test closes what it has taken elsewhere.
                        await connection.ensure_closed()
            else:
                async with isolation.transaction() as connection:
                    for step in steps:
                        await _answer(connection, step)
            assert server_objects(server, original) == before, f"test {number}: {steps}"
            assert server.run("XA RECOVER") == [], f"test {number}: {steps}"
            async with isolation.transaction():
                assert _content(server, isolation._own._name) == rows, f"test {number}: {steps}"


def _content(server: Connection, database: str) -> dict[str, Any]:
    """Return what is in a database, and leave it: who is in one that is dropped is cut off."""
    found = content(server, database)
    server.run("USE mysql")
    return found


def _random_steps(rng: random.Random) -> list[str]:
    kinds = [
        operations.CONTROL,
        operations.WRITES,
        operations.WRITES,
        *rng.sample((operations.TOLD, operations.SESSION), 1),
    ]
    steps = [rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(2, _MOST_STEPS))]
    return [step.replace("{n}", str(rng.randrange(1, 4))) for step in steps]


async def _answers(connection: Any, steps: list[str]) -> list[Any]:
    """Run a test, until something is refused to it."""
    answers: list[Any] = []
    try:
        for step in steps:
            answers.append(_OWN_NAME.sub("database", repr(await _answer(connection, step))))
            if answers[-1] == _REFUSED:
                return answers
        return answers
    finally:
        await connection.ensure_closed()


async def _answer(connection: Any, step: str) -> Any:
    word, _, rest = step.partition(" ")
    try:
        if word == "api":
            return str(await operations.CALLS[rest](connection))
        async with connection.cursor() as cursor:
            await cursor.execute(step)
            rows = list(await cursor.fetchall())
            return rows, cursor.rowcount, cursor.lastrowid
    except asyncmy.errors.MySQLError as error:
        return type(error).__name__, error.args[0]
    except OSError as error:
        return type(error).__name__
    except IsolationError:
        return "refused"
