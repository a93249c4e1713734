"""ClickHouse's blocking client in a forked child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.isolation.forks import in_child, in_process

if TYPE_CHECKING:
    from realservices.kinds.clickhouse.isolation.database import ClickHouseDatabaseSync

# Python 3.12 and later warn of a fork where threads run, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def test_a_child_has_connections_and_a_session_of_its_own(isolated_clickhouse_sync: ClickHouseDatabaseSync) -> None:
    database = isolated_clickhouse_sync
    database.execute("CREATE TEMPORARY TABLE parents (id Int32)")
    database.execute("CREATE TABLE items (id Int32) ENGINE = MergeTree ORDER BY id")
    assert database.client.command("SELECT 1") == 1

    def use() -> Any:
        database.execute("INSERT INTO items VALUES (1)")
        database.client.command("INSERT INTO items VALUES (2)")
        return database.execute("SELECT count() FROM items")

    assert in_child(use) == "[(2,)]"
    assert "UNKNOWN_TABLE" in in_child(lambda: database.execute("SELECT count() FROM parents"))
    assert in_process(use) == 0
    assert in_child(database.end) == "None"
    assert database.execute("SELECT count() FROM items") == [(4,)]
    assert database.execute("SELECT count() FROM parents") == [(0,)]
    assert database.client.command("SELECT 1") == 1


def test_a_database_that_has_not_been_used_is_refused_in_a_child(
    isolated_clickhouse_sync: ClickHouseDatabaseSync,
) -> None:
    answer = in_child(lambda: isolated_clickhouse_sync.execute("SELECT 1"))
    assert "ForkedProcessError: isolated_clickhouse's database, which the test has not used yet, belongs to" in answer
    assert "Use it before you fork (isolated_clickhouse_sync.database)" in answer
    assert isolated_clickhouse_sync.execute("SELECT 1") == [(1,)]
