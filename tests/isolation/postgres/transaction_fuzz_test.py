"""Random statements and transactions, over a connection within a test's transaction and over a plain one.

Both must answer the same, in each test, and so must the next test's. A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import io
import os
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.isolation.postgres.ways import answer, connected, new_isolation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_TESTS = 100 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_MOST_STEPS = 16
_MOST_RUNS = 5
_SHORT_S = 0.05
_CONTROL = (
    "BEGIN", "BEGIN", "BEGIN READ ONLY", "BEGIN ISOLATION LEVEL REPEATABLE READ", "COMMIT", "COMMIT", "ROLLBACK",
    "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "RELEASE a", "RELEASE b",
    "SET TRANSACTION READ ONLY", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "END", "ABORT",
)  # fmt: skip
_PLAIN = (
    "INSERT INTO item VALUES ({n}, 'x')", "INSERT INTO item VALUES ({n}, 'x')", "UPDATE item SET b = b || 'y' WHERE a < {n}",
    "DELETE FROM item WHERE a = {n}", "SELECT a, b FROM item ORDER BY a", "SELECT count(*) FROM item", "SELECT 1 / 0",
    "SELECT * FROM missing", "TRUNCATE item", "INSERT INTO item SELECT {n} + 1, 'z' ON CONFLICT DO NOTHING",
    "SELECT {n} / (SELECT count(*) FROM item)", "INSERT INTO item VALUES ({n}, 'p'); INSERT INTO item VALUES ({n} + 1, 'q')",
    "INSERT INTO item VALUES ({n}, 'p'); COMMIT; INSERT INTO item VALUES ({n} + 1, 'q')",
    "BEGIN; INSERT INTO item VALUES ({n}, 'r'); COMMIT", "INSERT INTO item VALUES ({n}, 's'); BEGIN; SELECT 1 / ({n} - 2)",
)  # fmt: skip
_SETTINGS = (
    "SET statement_timeout = '{n}s'", "SET LOCAL statement_timeout = '{n}s'", "SHOW statement_timeout",
    "RESET statement_timeout", "SET app.tenant = '{n}'", "SET LOCAL app.tenant = '{n}'",
    "SELECT current_setting('app.tenant', true)", "SELECT set_config('app.tenant', '{n}', true)",
    "SELECT set_config('app.tenant', '{n}', false)", "SELECT as_tenant('{n}')", "SHOW transaction_read_only",
    "SHOW transaction_isolation", "SET ROLE pg_monitor", "SET LOCAL ROLE pg_monitor", "RESET ROLE",
    "SELECT current_user = session_user", "SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS ALL IMMEDIATE",
)  # fmt: skip
_HANGING = (
    "INSERT INTO head VALUES ({n})", "INSERT INTO part VALUES ({n})", "DELETE FROM head WHERE id = {n}", "DELETE FROM part",
    "SELECT count(*) FROM head, part", "SELECT count(*) FROM told", "INSERT INTO noted VALUES ({n})",
    "CREATE TEMP TABLE scratch (x int) ON COMMIT DROP", "CREATE TEMP TABLE scratch (x int) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE scratch (x int)", "INSERT INTO scratch VALUES ({n})", "SELECT count(*) FROM scratch",
    "DECLARE c CURSOR FOR SELECT a FROM item ORDER BY a", "DECLARE c CURSOR WITH HOLD FOR SELECT a FROM item ORDER BY a",
    "FETCH 2 FROM c", "CLOSE c", "SELECT pg_advisory_xact_lock({n})", "SELECT pg_advisory_lock({n})",
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "VACUUM item", "DO $$ BEGIN COMMIT; END $$",
    "CALL commit_in_between({n})", "ALTER TABLE item ADD c{n} int", "CREATE TABLE made_{n} (a int)", "NOTIFY news",
    "DISCARD TEMP", "DISCARD ALL", "PREPARE p AS SELECT {n}", "EXECUTE p", "LOCK TABLE item",
)  # fmt: skip
_SCHEMA = (
    "CREATE TABLE item (a int PRIMARY KEY, b text)",
    "CREATE PROCEDURE commit_in_between(n int) LANGUAGE plpgsql AS "
    "$$ BEGIN INSERT INTO item VALUES (n, 'c'); COMMIT; INSERT INTO item VALUES (n, 'c'); END $$",
    "CREATE FUNCTION as_tenant(name text) RETURNS text LANGUAGE sql AS "
    "$$ SELECT set_config('app.tenant', name, true) $$",
)


async def _cursor(connection: asyncpg.Connection, _: int) -> object:
    # Else asyncpg prepares it, refuses it and leaves the server in the middle of a message, in which a BEGIN may fail.
    if not connection.is_in_transaction():
        return ""
    return [row["a"] async for row in connection.cursor("SELECT a FROM item ORDER BY a", prefetch=1)]


async def _prepared(connection: asyncpg.Connection, n: int) -> object:
    return await (await connection.prepare("SELECT b FROM item WHERE a = $1")).fetchval(n)


async def _broken_copy(connection: asyncpg.Connection, n: int) -> object:
    async def rows() -> AsyncIterator[bytes]:
        yield f"{n}\tr\n".encode()
        raise LookupError

    try:
        return await connection.copy_to_table("item", source=rows(), columns=["a", "b"])
    except LookupError as error:
        return type(error).__name__


async def _copied(connection: asyncpg.Connection, n: int) -> object:
    copied = io.BytesIO()
    await connection.copy_from_query("SELECT a FROM item WHERE a < $1", n, output=copied)
    return copied.getvalue()


def _rows_that_end_badly(n: int) -> Iterator[tuple[Any, str]]:
    yield from ((n + 10 + row, "w" * 32_768) for row in range(5 * n))
    yield "no number", ""


# What a driver can do beside sending a text. Each is a name, and what is done with a connection and a number.
_CALLS: dict[str, Callable[[asyncpg.Connection, int], Awaitable[object]]] = {
    "arguments": lambda connection, n: connection.fetchval("SELECT max(b) FROM item WHERE a < $1", n),
    "array": lambda connection, n: connection.fetchval("SELECT array_agg(item) FROM item WHERE a < $1", n),
    "copy": lambda connection, n: connection.copy_records_to_table(
        "item", records=[(n, "r"), (n + 1, "r")], columns=["a", "b"]
    ),
    "copy_out": _copied,
    "cursor": _cursor,
    "executemany": lambda connection, n: connection.executemany("INSERT INTO item VALUES ($1, 'm')", [(n,), (n + 1,)]),
    "missing": lambda connection, n: connection.fetchval("SELECT a FROM missing WHERE a = $1", n),
    "prepared": _prepared,
    "broken_copy": _broken_copy,
    "broken_executemany": lambda connection, n: connection.executemany(
        "INSERT INTO item VALUES ($1, $2)", _rows_that_end_badly(n)
    ),
    "status": lambda connection, n: connection.execute("UPDATE item SET b = 'u' WHERE a < $1", n),
    "timeout": lambda connection, _: connection.fetchval("SELECT pg_sleep(60)", timeout=_SHORT_S),
}


@pytest.fixture(scope="module")
def isolation() -> Iterator[PostgresIsolation]:
    with new_isolation(2 * _TESTS) as isolation:
        yield isolation


async def test_same_answers_as_over_a_plain_connection(isolation: PostgresIsolation) -> None:
    async with connected(isolation, "plain") as connection:
        has_schema = await connection.fetchval("SELECT to_regclass('item')") is not None
    for number in range(_TESTS):
        rng = random.Random(f"{_SEED} {number}")
        steps = _random_steps(rng)
        setup = () if has_schema else _SCHEMA if rng.random() < 0.5 else (_SCHEMA[0],)
        plain, held = [await _answers(isolation, way, setup, steps) for way in ("plain", "transaction")]
        pairs = list(zip(steps, plain, held, strict=True))
        wrong = next((n for n, (_, plain, held) in enumerate(pairs) if plain != held), None)
        assert wrong is None, f"test {number}, statement {wrong}:\n" + "\n".join(map(str, pairs[: (wrong or 0) + 1]))


def _random_steps(rng: random.Random) -> list[str]:
    calls = [f"call {name} {{n}}" for name in _CALLS]
    # A chained transaction keeps the mode of one that has failed in a savepoint, which is not imitated.
    without = rng.choice(("CHAIN", "SAVEPOINT"))
    control = tuple(each for each in _CONTROL if without not in each)
    kinds = [_PLAIN, control, calls, *rng.sample((_SETTINGS, _HANGING, _PLAIN), rng.randrange(3))]
    steps = []
    for _ in range(rng.randrange(2, _MOST_STEPS)):
        if without == "CHAIN" and rng.random() < 0.2:  # Within a transaction it is a savepoint.
            steps.append(rng.choice(("start", "start", "start read only", "start serializable", "commit", "rollback")))
        else:
            steps.append(rng.choice(rng.choice(kinds)).replace("{n}", str(rng.randrange(1, 4))))
    return steps


async def _answers(isolation: PostgresIsolation, way: str, setup: tuple[str, ...], steps: list[str]) -> list[object]:
    """Run a test, again where asyncpg closed its connection, which it does at times and not each time."""
    for _ in range(_MOST_RUNS):
        if answers := await _run(isolation, way, setup, steps):
            return answers
    raise AssertionError(f"{way}: the connection was closed {_MOST_RUNS} times by {steps}")


async def _run(isolation: PostgresIsolation, way: str, setup: tuple[str, ...], steps: list[str]) -> list[object] | None:
    open_ones: list[Any] = []
    async with connected(isolation, way) as connection:
        for statement in setup:
            await connection.execute(statement)
        answers: list[object] = []
        for step in steps:
            found = await _do(connection, step, open_ones)
            if connection.is_closed():  # asyncpg does so where a cancellation comes at the wrong moment.
                return None
            answers.append((found, connection.is_in_transaction()))
    return answers


async def _do(connection: asyncpg.Connection, step: str, open_ones: list[Any]) -> object:
    word, _, mode = step.partition(" ")
    try:
        if word == "start":
            isolation: Any = "serializable" if mode == "serializable" else None
            transaction = connection.transaction(readonly=mode == "read only", isolation=isolation)
            await transaction.start()
            open_ones.append(transaction)
        elif word in ("commit", "rollback"):
            if open_ones:
                await getattr(open_ones.pop(), word)()
        elif word == "call":
            name, _, number = mode.partition(" ")
            return str(await _CALLS[name](connection, int(number)))
        else:
            return await answer(connection, step)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    except (asyncpg.InterfaceError, TimeoutError) as error:
        return type(error).__name__
    return ""
