"""What a test leaves in the whole ClickHouse server is gone for the next one; a test cannot end the server."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.database import ClickHouseDatabaseSync
from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation
from realservices.kinds.clickhouse.isolation.leftovers import Leftovers
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.control.client import BlockingServiceControl

_DEADLINE_S = 60.0
_LEAVE = (
    "CREATE FUNCTION `left-ö` AS (x) -> x + 1",
    "CREATE NAMED COLLECTION left AS a = 1",
    "CREATE DATABASE `left.x`",
    "CREATE TABLE `left.x`.t (id Int32) ENGINE = MergeTree ORDER BY id",
    "CREATE DATABASE left_memory ENGINE = Memory",
    "CREATE DICTIONARY `left.x`.d (id UInt64) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE TABLE default.left (id Int32) ENGINE = Memory",
    "CREATE VIEW default.left_view AS SELECT 1",
    "CREATE DICTIONARY default.d (id UInt64) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DATABASE left_detached",
    "CREATE TABLE left_detached.t (id Int32) ENGINE = MergeTree ORDER BY id",
    "DETACH DATABASE left_detached",
    "CREATE TABLE default.detached (id Int32) ENGINE = Memory",
    "DETACH TABLE default.detached",
    "CREATE RESOURCE cpu (MASTER THREAD, WORKER THREAD)",
    "CREATE WORKLOAD all",
    "CREATE WORKLOAD left IN all",
    "INSERT INTO FUNCTION file('left.csv', 'CSV', 'id Int32') VALUES (1)",
    "INSERT INTO FUNCTION file('left/left.csv', 'CSV', 'id Int32') VALUES (1)",
)
_SEEN = """SELECT * FROM (
    SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'
    UNION ALL SELECT name FROM system.named_collections
    UNION ALL SELECT name FROM system.databases WHERE NOT startsWith(name, 'realservices_')
    UNION ALL SELECT name FROM system.tables WHERE database = 'default'
    UNION ALL SELECT DISTINCT _file FROM file('**.csv', 'LineAsString')
    UNION ALL SELECT name FROM system.workloads UNION ALL SELECT name FROM system.resources)
ORDER BY name FORMAT TSV"""
_USUAL = ["INFORMATION_SCHEMA", "default", "information_schema", "system", "test"]


@pytest.fixture
def endpoint() -> Endpoint:
    """The ClickHouse service."""
    return find_services().endpoint("clickhouse")


@pytest.fixture
def server(endpoint: Endpoint) -> Iterator[ClickHouseConnection]:
    """A connection of a program."""
    connection = ClickHouseConnection(endpoint)
    yield connection
    connection.close()


@pytest.fixture
def process(endpoint: Endpoint, tmp_path: Path) -> Iterator[Callable[[], Leftovers]]:
    """Make views of processes that share the server."""
    made: list[Leftovers] = []

    def make() -> Leftovers:
        made.append(Leftovers(endpoint, str(tmp_path)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def _seen(server: ClickHouseConnection) -> list[str]:
    return server.run(_SEEN).split()


@pytest.mark.parametrize("again", range(3))
def test_what_a_test_leaves_is_gone_for_the_next_one(
    isolated_clickhouse_sync: ClickHouseDatabaseSync, server: ClickHouseConnection, again: int
) -> None:
    assert isolated_clickhouse_sync.database
    assert _seen(server) == _USUAL
    for statement in _LEAVE:
        server.run(statement)
    assert isolated_clickhouse_sync.execute("SELECT `left-ö`(1)") == [(2,)]


async def test_what_an_asynchronous_test_leaves_is_gone_too(
    isolated_clickhouse: Any, server: ClickHouseConnection
) -> None:
    assert isolated_clickhouse.database
    assert _seen(server) == _USUAL
    await isolated_clickhouse.execute("CREATE FUNCTION tests_left AS (x) -> x + 1")


@pytest.mark.parametrize("again", range(4))
def test_frozen_parts_are_gone_too(isolated_clickhouse_sync: ClickHouseDatabaseSync, again: int) -> None:
    isolated_clickhouse_sync.execute("CREATE TABLE t (id Int32) ENGINE = MergeTree ORDER BY id")
    isolated_clickhouse_sync.execute("INSERT INTO t VALUES (1)")
    isolated_clickhouse_sync.execute("ALTER TABLE t FREEZE WITH NAME 'tests'")
    data = isolated_clickhouse_sync.execute("SELECT path FROM system.disks WHERE name = 'default'")[0][0]
    assert len(list(Path(data, "shadow", "tests", "store").glob("*/*/*"))) == 1


def test_nothing_is_left_of_that_either(
    isolated_clickhouse_sync: ClickHouseDatabaseSync, server: ClickHouseConnection
) -> None:
    assert isolated_clickhouse_sync.database
    assert _seen(server) == _USUAL


def test_what_comes_between_tests_stays(server: ClickHouseConnection, process: Callable[[], Leftovers]) -> None:
    first, second = process(), process()
    first.begin()
    first.end()
    server.run("CREATE FUNCTION fixtures AS (x) -> x + 1")
    for each in (first, second, first):
        each.begin()
        server.run("CREATE FUNCTION tests AS (x) -> x + 1")
        each.end()
        assert "fixtures" in _seen(server)
        assert "tests" not in _seen(server)
    server.run("DROP FUNCTION fixtures")


def test_what_a_test_changes_or_drops_is_made_again(
    server: ClickHouseConnection, process: Callable[[], Leftovers]
) -> None:
    server.run("CREATE FUNCTION one AS (x) -> x + 1")
    server.run("CREATE NAMED COLLECTION two AS a = 'secret'")
    leftovers = process()
    leftovers.begin()
    server.run("CREATE OR REPLACE FUNCTION one AS (x) -> x + 2")
    server.run("DROP NAMED COLLECTION two")
    leftovers.end()
    assert server.run("SELECT one(1)") == "2\n"
    assert server.run("SELECT name FROM system.named_collections") == "two\n"
    server.run("DROP FUNCTION one")
    server.run("DROP NAMED COLLECTION two")


def test_a_database_that_a_test_drops_is_told(server: ClickHouseConnection, process: Callable[[], Leftovers]) -> None:
    server.run("CREATE DATABASE fixtures")
    leftovers = process()
    leftovers.begin()
    server.run("DROP DATABASE fixtures")
    message = r"a test has dropped DATABASE `fixtures` of ClickHouse service 'clickhouse' .*cannot be made anew"
    with pytest.raises(IsolationBrokenError, match=message):
        leftovers.end()
    leftovers.begin()
    leftovers.end()


def test_nothing_is_removed_while_tests_of_another_process_run(
    server: ClickHouseConnection, process: Callable[[], Leftovers]
) -> None:
    first, second = process(), process()
    first.begin()
    second.begin()
    server.run("CREATE FUNCTION tests AS (x) -> x + 1")
    first.end()
    assert "tests" in _seen(server)
    first.begin()
    second.end()
    assert "tests" in _seen(server)
    first.end()
    assert "tests" not in _seen(server)


def test_tests_of_one_process_at_the_same_time_are_one(
    server: ClickHouseConnection, process: Callable[[], Leftovers]
) -> None:
    leftovers = process()
    leftovers.begin()
    server.run("CREATE FUNCTION tests AS (x) -> x + 1")
    leftovers.begin()
    leftovers.end()
    assert "tests" in _seen(server)
    leftovers.end()
    assert "tests" not in _seen(server)


def test_databases_of_other_processes_stay(endpoint: Endpoint, process: Callable[[], Leftovers]) -> None:
    leftovers = process()
    leftovers.begin()
    other = ClickHouseIsolation(endpoint, ReadyDatabases(dataclasses.replace(endpoint, ready_databases=()), ""))
    with other.lease() as lease:
        name = lease.name()
        leftovers.end()
        database = other.of_lease(ClickHouseDatabaseSync, lease)
        assert database.execute("SELECT currentDatabase()") == [(name,)]
        database.end()
    other.close(drop=True)


def test_a_server_that_is_down_at_the_end_is_cleared_later(
    server: ClickHouseConnection, process: Callable[[], Leftovers], service_control_sync: BlockingServiceControl
) -> None:
    leftovers = process()
    leftovers.begin()
    server.run("CREATE FUNCTION tests AS (x) -> x + 1")
    service_control_sync.stop("clickhouse")
    with pytest.raises(IsolationError, match="does not answer"):
        leftovers.end()
    service_control_sync.start("clickhouse")
    leftovers.begin()
    leftovers.end()
    assert "tests" not in _seen(server)


# What would end the server


def test_killing_all_queries_ends_neither_the_server_nor_queries_of_others(
    isolated_clickhouse_sync: ClickHouseDatabaseSync, server: ClickHouseConnection
) -> None:
    errors: list[str] = []

    def sleep() -> None:
        try:
            server.run("SELECT sleep(3) FROM numbers(20) SETTINGS max_block_size = 1")
        except IsolationError as error:
            errors.append(str(error))

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    client = isolated_clickhouse_sync.client
    deadline = time.monotonic() + _DEADLINE_S
    while not client.query("SELECT 1 FROM system.processes WHERE query LIKE 'SELECT sleep(3)%'").result_rows:
        assert time.monotonic() < deadline
    killed = client.query("KILL QUERY WHERE 1").result_rows
    sleeper.join()
    assert "QUERY_WAS_CANCELLED" in errors[0]
    assert {row[2] for row in killed} == {isolated_clickhouse_sync.user}
    assert isolated_clickhouse_sync.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "statement", ["SYSTEM SHUTDOWN", "SYSTEM KILL", "SYSTEM STOP LISTEN HTTP", "DROP DATABASE default"]
)
def test_what_would_end_the_server_is_refused(isolated_clickhouse_sync: ClickHouseDatabaseSync, statement: str) -> None:
    with pytest.raises(Exception, match=r"Not enough privileges.*(SYSTEM (SHUTDOWN|LISTEN)|DROP DATABASE ON default)"):
        isolated_clickhouse_sync.execute(statement)
    assert isolated_clickhouse_sync.execute("SELECT 1") == [(1,)]
