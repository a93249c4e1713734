"""Random tests with each driver, on a fixture's connection and on a plain one of the driver's own.

Both must answer the same, in each step, and so must the next test's. A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import re
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg2
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from realservices.kinds.postgres.isolation.drivers import psycopg2_connections, psycopg_connections
from realservices.kinds.postgres.isolation.drivers.libpq import parameters
from realservices.kinds.postgres.isolation.drivers.urls import sqlalchemy_url
from realservices.kinds.postgres.isolation.restore.pristine import RESTORER
from tests.isolation.postgres.drivers import fuzz_psycopg, fuzz_psycopg2, fuzz_sqlalchemy, fuzz_statements
from tests.isolation.postgres.ways import new_isolation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from realservices.kinds.postgres.isolation.drivers.engines import Engines
    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_TESTS = 5 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_MOST_STEPS = 14
pytestmark = pytest.mark.filterwarnings("ignore")  # Random steps do what drivers warn of.
# Names of databases, addresses, process ids.
_ACCIDENTAL = re.compile(
    r"LINE 1:.*?\^|realservices_\w+|psycopg2.extensions.connection|IsolatedPsycopg2|\bc_\w+|0x\w+|\d{6,}|(?<=port=)\d+|(?<=tuple )\S+"
)


@contextlib.asynccontextmanager
async def _psycopg(lease: DatabaseLease, _: Engines, *, plain: bool) -> AsyncIterator[Any]:
    connection = psycopg.Connection.connect(**parameters(lease.clone)) if plain else psycopg_connections.connect(lease)
    yield fuzz_psycopg.Program(connection)
    connection.close() if plain else psycopg_connections.release(connection)


@contextlib.asynccontextmanager
async def _psycopg_async(lease: DatabaseLease, _: Engines, *, plain: bool) -> AsyncIterator[Any]:
    if plain:
        connection = await psycopg.AsyncConnection.connect(**parameters(lease.clone))
    else:
        connection = await psycopg_connections.connect_async(lease)
    yield fuzz_psycopg.Program(connection)
    await connection.close() if plain else psycopg_connections.release(connection)


@contextlib.asynccontextmanager
async def _psycopg2(lease: DatabaseLease, _: Engines, *, plain: bool) -> AsyncIterator[Any]:
    connection = psycopg2.connect(**parameters(lease.clone)) if plain else psycopg2_connections.connect(lease)
    program = fuzz_psycopg2.Program(connection)
    del connection
    yield program
    connection = program.connection
    del program.connection
    connection.close() if plain else psycopg2_connections.release(connection)


def _engine(driver: str) -> Any:
    @contextlib.asynccontextmanager
    async def connected(lease: DatabaseLease, engines: Engines, *, plain: bool) -> AsyncIterator[Any]:
        if plain:
            engine = sqlalchemy.create_engine(sqlalchemy_url(lease.clone, driver))
            yield (program := fuzz_sqlalchemy.BlockingProgram(engine))
            program.end()
            engine.dispose()
        else:
            with engines.blocking(lease, driver) as engine:
                yield fuzz_sqlalchemy.BlockingProgram(engine)  # What it leaves open is closed as the test ends.

    return connected


def _engine_async(driver: str) -> Any:
    @contextlib.asynccontextmanager
    async def connected(lease: DatabaseLease, engines: Engines, *, plain: bool) -> AsyncIterator[Any]:
        if plain:
            engine = create_async_engine(sqlalchemy_url(lease.clone, driver))
            end = engine.dispose
        else:
            engine, end = engines.asynchronous(lease, driver, keep=True)
        yield (program := fuzz_sqlalchemy.AsyncProgram(engine.sync_engine))
        if plain:
            await sqlalchemy.util.greenlet_spawn(program.end)
        await end()

    return connected


_DRIVERS: dict[str, tuple[Any, Any]] = {
    "psycopg": (_psycopg, fuzz_psycopg),
    "psycopg2": (_psycopg2, fuzz_psycopg2),
    "psycopg_async": (_psycopg_async, fuzz_psycopg),
    "engine_psycopg": (_engine("psycopg"), fuzz_sqlalchemy),
    "engine_psycopg2": (_engine("psycopg2"), fuzz_sqlalchemy),
    "engine_asyncpg": (_engine_async("asyncpg"), fuzz_sqlalchemy),
    "engine_psycopg_async": (_engine_async("psycopg"), fuzz_sqlalchemy),
}


@pytest.fixture(scope="module")
def isolation() -> Iterator[PostgresIsolation]:
    with new_isolation(4 * _TESTS) as isolation:
        share = isolation.share("module")
        share.database.connect_sync().execute(fuzz_statements.SCHEMA)
        yield share.isolation()
        share.close()


@pytest.mark.parametrize("driver", _DRIVERS)
async def test_same_answers_as_over_a_plain_connection(isolation: PostgresIsolation, driver: str) -> None:
    connected, language = _DRIVERS[driver]
    for number in range(_TESTS):
        rng = random.Random(f"{_SEED} {driver} {number}")
        steps = _random_steps(rng, language)
        plain, isolated = [await _answers(isolation, connected, language, steps, plain) for plain in (True, False)]
        pairs = zip(["begin", *steps, "contents"], plain, isolated, strict=True)
        wrong = next((n for n, (_, plain, isolated) in enumerate(pairs) if plain != isolated), None)
        assert wrong is None, f"test {number}: {steps[:wrong]}\n" + _difference(plain[wrong], isolated[wrong])
    gc.collect()  # Plain connections that steps have left open warn of that now, where it is ignored.


def _difference(plain: str, isolated: str) -> str:
    """Say what differs in two answers, without what is the same at their beginnings and ends."""
    same = next((n for n, (one, other) in enumerate(zip(plain, isolated, strict=False)) if one != other), 0)
    start = max(0, same - 60)
    return f"plain:    {plain[start : same + 300]}\nisolated: {isolated[start : same + 300]}"


def _random_steps(rng: random.Random, language: Any) -> list[str]:
    texts = [
        fuzz_statements.WRITES,
        fuzz_statements.READS,
        fuzz_statements.CONTROL,
        fuzz_statements.SETTINGS,
        fuzz_statements.SESSION,
    ]
    calls = [f"call {name}" for name in language.STEPS]
    kinds: list[Any] = [calls, calls, fuzz_statements.WRITES, *rng.sample(texts, 2)]
    steps = [rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(2, _MOST_STEPS))]
    if rng.random() < 0.1:
        steps[-2:-1] = [f"call {rng.choice(list(language.LAST))}"]
    numbers = [str(rng.randrange(1, 4)) for _ in steps]
    return [
        f"{step} {n}" if step.startswith("call ") else step.replace("{n}", n)
        for step, n in zip(steps, numbers, strict=True)
    ]


async def _answers(
    isolation: PostgresIsolation, connected: Any, language: Any, steps: list[str], plain: bool
) -> list[str]:
    with isolation.leases.lease() as lease:
        async with connected(lease, isolation.leases.engines, plain=plain) as program:
            answers = [str(await program.state())]
            for step in steps:
                answers.append(str((await _do(language, program, step), program.status())))
        answers.append(str(_contents(lease)))
    return [_ACCIDENTAL.sub("…", answer) for answer in answers]


def _contents(lease: DatabaseLease) -> object:
    with psycopg.Connection.connect(**parameters(lease.clone), application_name=RESTORER) as connection:
        try:
            return connection.execute(fuzz_statements.CONTENTS).fetchall()
        except psycopg.errors.LockNotAvailable as error:  # Of a transaction that was prepared.
            return type(error).__name__


async def _do(language: Any, program: Any, step: str) -> object:
    try:
        if not step.startswith("call "):
            return await program.execute(step)
        name, _, number = step.removeprefix("call ").rpartition(" ")
        return await program.call({**language.STEPS, **language.LAST}[name], int(number))
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        original = getattr(error, "orig", error)
        return type(error).__name__, getattr(original, "sqlstate", getattr(original, "pgcode", None)), str(error)
