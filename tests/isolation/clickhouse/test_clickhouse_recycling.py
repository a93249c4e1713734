"""A test's database is used again where it can be brought back to what it was, whether its files can be seen or not."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING

import pytest

from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.database_files import with_files
from realservices.kinds.clickhouse.isolation.plan import ClickHousePlan, make_database, plan_of
from realservices.kinds.clickhouse.isolation.recycling import recycle
from realservices.kinds.clickhouse.isolation.state import read_state
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint

_DEADLINE_S = 60.0
_TABLES = ("events", "latest", "remembered", "noted", "tiny", "counted", "kept")
# What tests do in a database that is used again, one after the other.
_UNDONE = {
    "nothing": [],
    "rows": ["INSERT INTO events VALUES (7, 'x')"],
    "rows in memory": ["INSERT INTO remembered VALUES (7, 'x')"],
    "as many other rows": ["TRUNCATE TABLE tiny", "INSERT INTO tiny VALUES (8)"],
    "an empty table": ["TRUNCATE TABLE events"],
    "a mutation": ["ALTER TABLE events UPDATE what = 'u' WHERE 1 SETTINGS mutations_sync = 1"],
    "merged parts": ["INSERT INTO events VALUES (7, 'x')", "OPTIMIZE TABLE events FINAL"],
    "a moved partition": [
        "CREATE TABLE other AS events",
        "ALTER TABLE events MOVE PARTITION 0 TO TABLE other",
        "DROP TABLE other SYNC",
    ],
    "a replaced partition": [
        "CREATE TABLE other AS events",
        "ALTER TABLE events REPLACE PARTITION 0 FROM other SETTINGS allow_replace_partition_from_empty_source = 1",
        "DROP TABLE other SYNC",
    ],
}
# After these another database is made.
_REFUSED = {
    "a mutation of nothing": "ALTER TABLE totals DELETE WHERE 1 SETTINGS mutations_sync = 1",
    "a detached partition": "ALTER TABLE events DETACH PARTITION 0",
    "a detached table": "DETACH TABLE totals",
    "another table": "CREATE TABLE other AS events",
    "another column": "ALTER TABLE totals ADD COLUMN more Int32",
    "another table of this name": "EXCHANGE TABLES events AND latest",
}


class Recycled:
    """A database that tests have one after another.

    Attributes:
        name: Its name.
        statements: What it was asked by `recycle`.
    """

    def __init__(self, connection: ClickHouseConnection, plan: ClickHousePlan) -> None:
        self.name = f"realservices_recycled_{time.monotonic_ns()}"
        self.statements: list[str] = []
        self._connection, self._plan = connection, plan
        make_database(connection, plan, self.name)
        self._state = with_files(read_state(connection, self.name), plan.data, self.name)

    def run(self, statement: str) -> str:
        """Run a statement in it."""
        return self._connection.run(statement, database=self.name)

    def rows(self) -> list[str]:
        """Return what is in it."""
        return [self.run(f"SELECT * FROM {table} ORDER BY ALL") for table in _TABLES]

    def recycle(self, patched: pytest.MonkeyPatch) -> bool:
        """Bring it back; return whether it can be used again."""
        run = ClickHouseConnection.run

        def noted(connection: ClickHouseConnection, sql: str, **parameters: str) -> str:
            self.statements.append(sql)
            return run(connection, sql, **parameters)

        with patched.context() as noting:
            noting.setattr(ClickHouseConnection, "run", noted)
            state = recycle(self._connection, self._plan, self.name, self._state)
        self._state = state or self._state
        return state is not None


@pytest.fixture
def endpoint() -> Endpoint:
    return find_services().endpoint("clickhouse")


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[ClickHouseConnection]:
    connection = ClickHouseConnection(endpoint)
    connection.has_insert_queue = False
    yield connection
    connection.close()


@pytest.fixture(params=["files seen", "files unseen"])
def database(
    request: pytest.FixtureRequest, endpoint: Endpoint, connection: ClickHouseConnection
) -> Iterator[Recycled]:
    plan = plan_of(endpoint, connection)
    assert plan.data
    recycled = Recycled(connection, plan if request.param == "files seen" else dataclasses.replace(plan, data=""))
    yield recycled
    connection.run(f"DROP DATABASE {recycled.name} SYNC")


def test_what_tests_have_done_is_undone(database: Recycled, monkeypatch: pytest.MonkeyPatch) -> None:
    before = database.rows()
    for done in (*_UNDONE, *_UNDONE):
        for statement in _UNDONE[done]:
            database.run(statement)
        assert database.recycle(monkeypatch), done
        assert database.rows() == before, done


@pytest.mark.parametrize("database", ["files seen"], indirect=True)
@pytest.mark.parametrize("done", _REFUSED)
def test_a_database_that_is_another_one_is_not_used_again(
    database: Recycled, monkeypatch: pytest.MonkeyPatch, done: str
) -> None:
    database.run(_REFUSED[done])
    assert not database.recycle(monkeypatch)


def test_a_comment_of_the_database_is_seen_in_its_files(database: Recycled, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run(f"ALTER DATABASE {database.name} MODIFY COMMENT 'mine'")
    is_seen = not database.recycle(monkeypatch)
    assert is_seen == (len(database.statements) == 1)


def test_a_partition_that_is_moved_while_it_is_read(
    endpoint: Endpoint, database: Recycled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.rows()
    database.run("CREATE TABLE other AS events")
    other = ClickHouseConnection(endpoint)
    slow = f"SELECT sleepEachRow(0.5), * FROM {database.name}.events"
    reader = threading.Thread(target=other.run, args=[slow])
    reader.start()
    deadline = time.monotonic() + _DEADLINE_S
    while not database.run(f"SELECT 1 FROM system.processes WHERE query = '{slow}'"):
        assert time.monotonic() < deadline
    database.run("ALTER TABLE events MOVE PARTITION 0 TO TABLE other")
    reader.join()
    other.close()
    database.run("DROP TABLE other SYNC")
    assert database.recycle(monkeypatch)
    assert database.rows() == before


def test_a_database_in_which_a_query_runs_is_not_used_again(
    endpoint: Endpoint, database: Recycled, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ClickHouseConnection(endpoint)
    slow = "SELECT sleep(3) FROM numbers(20) SETTINGS max_block_size = 1"

    def read() -> None:
        with pytest.raises(Exception, match="QUERY_WAS_CANCELLED"):
            other.run(slow, database=database.name)

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + _DEADLINE_S
    while not database.run(f"SELECT 1 FROM system.processes WHERE query = '{slow}'"):
        assert time.monotonic() < deadline
    assert not database.recycle(monkeypatch)
    database.run(f"KILL QUERY WHERE query = '{slow}'")
    reader.join()
    other.close()


@pytest.mark.parametrize("database", ["files seen"], indirect=True)
def test_a_database_with_new_rows_costs_three_statements(database: Recycled, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        database.statements.clear()
        database.run("INSERT INTO totals VALUES (1, 1)")
        assert database.recycle(monkeypatch)
        looked = [statement for statement in database.statements if statement.startswith("SELECT")]
        emptied = [statement for statement in database.statements if "totals" in statement]
        assert ["system.mutations" in statement for statement in looked] == [False]
        assert [statement.split()[0] for statement in emptied] == ["TRUNCATE", "SYSTEM"]
