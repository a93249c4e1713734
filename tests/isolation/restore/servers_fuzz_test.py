"""Random tests on the database that servers use, each compared with what the first one found.

The servers are three connections that stay. Before the first test they have migrated and written.
A larger run: `--test_env=STRESS_SCALE=100`.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.restore import quiet
from realservices.kinds.postgres.isolation.restore.servers_database import ServersDatabase
from realservices.sources.services import find_services
from tests.isolation.restore.contents import contents
from tests.isolation.restore.operations import SERVERS_WEIGHTS, random_test

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TESTS = 60 * int(os.environ.get("STRESS_SCALE", "1"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_SERVERS = 3
_STATEMENT_TIMEOUT_S = 10
# As many rows of the template's 6,000 and more are copied to memory where programs have written or altered a few dozen.
_MOST_REMEMBERED = 200
# Some of each kind: rows beside those of the template, a table of its own, another form, another file, another name.
_BEFORE = """
    INSERT INTO parent (name) VALUES ('before'); DELETE FROM parent WHERE id = 5; UPDATE child SET d = 7 WHERE d = 70;
    CREATE TABLE own (id serial PRIMARY KEY, body text); INSERT INTO own (body) SELECT 'own' FROM generate_series(1, 9);
    ALTER TABLE deferred ADD COLUMN more text DEFAULT 'more'; ALTER TABLE wide RENAME TO wider;
    ALTER TABLE wider RENAME TO wide; TRUNCATE empty_one; INSERT INTO empty_one (body) VALUES ('b');
    UPDATE scratch SET v = 'before' WHERE id = 3; SELECT lo_put(4242, 1, 'before'), nextval('other.numbers');
    ALTER TABLE booking RENAME COLUMN room TO place; ALTER TABLE booking RENAME COLUMN place TO room;
    REFRESH MATERIALIZED VIEW totals
"""


@pytest.fixture
async def servers() -> AsyncIterator[ServersDatabase]:
    """The service's own database, made anew."""
    database = ServersDatabase(find_services().endpoint("postgres"))
    await database.begin()
    await database.replace()
    yield database
    await database.close()


async def test_of_what_the_template_holds_nothing_is_copied(servers: ServersDatabase) -> None:
    connection = await asyncpg.connect(find_services().endpoint("postgres").url)
    assert _remembered(servers) == 0
    await connection.execute(_BEFORE)
    await servers.begin()
    assert 30 < _remembered(servers) < _MOST_REMEMBERED
    await connection.close()


async def test_a_prepared_transaction_is_an_error_that_names_it(
    servers: ServersDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "_QUIET_TIMEOUT_S", 0.2)
    connection = await asyncpg.connect(find_services().endpoint("postgres").url)
    before = await _rows(connection)
    for statement in ("BEGIN", "DELETE FROM wide", "PREPARE TRANSACTION 'it''s left'"):
        await connection.execute(statement)
    with pytest.raises(IsolationError, match=r"""prepared transaction "it's left"\. It has been ended"""):
        await servers.restore()
    assert await _rows(connection) == before
    assert await connection.fetchval("SELECT count(*) FROM pg_prepared_xacts") == 0
    await servers.restore()
    await connection.close()


@pytest.mark.parametrize("before", [_BEFORE, "VACUUM FULL pg_class", "VACUUM FULL"], ids=["rows", "class", "all"])
async def test_each_test_finds_what_the_first_one_found(servers: ServersDatabase, before: str) -> None:
    url = find_services().endpoint("postgres").url
    connections = [await asyncpg.connect(url) for _ in range(_SERVERS)]
    await connections[0].execute(before)
    await servers.begin()
    first = await _rows(connections[0])
    for number in range(_TESTS):
        test = random_test(random.Random(f"{_SEED} {number}"), SERVERS_WEIGHTS)
        for index, statements in test:
            await _run(connections[index], [each for each in statements if "PREPARE" not in each])
        await servers.restore()
        now = await _rows(connections[0])
        wrong = {name: (first.get(name), now.get(name)) for name in first.keys() | now.keys()}
        assert {name: values for name, values in wrong.items() if values[0] != values[1]} == {}, (number, test)
    for connection in connections:
        await connection.close()


def _remembered(servers: ServersDatabase) -> int:
    return sum(len(table.texts) for table in servers._baseline._tables.values())


async def _rows(connection: asyncpg.Connection) -> dict[str, str]:
    found = await contents(connection, thorough=False)
    return {
        name: text
        for name, text in found.items()
        if not name.startswith(("server: ", "pg_catalog.")) or name.startswith("pg_catalog.pg_largeobject")
    }


async def _run(connection: asyncpg.Connection, statements: list[str]) -> None:
    await connection.execute("SET lock_timeout = '10ms'")
    for statement in statements:
        try:
            await connection.execute(statement, timeout=_STATEMENT_TIMEOUT_S)
        except (asyncpg.PostgresError, TimeoutError):
            continue
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")
