"""The service's own database, restored after a test in which a server wrote into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import pytest

from realservices.contract.runtime import Endpoint, load_runtime
from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.clickhouse.isolation.servers_store import ClickHouseStore

TABLES = ["countries", "events", "kinds", "notes", "users"]
PER_DAY = "(SELECT day, kind, countMerge(n) FROM per_day GROUP BY day, kind)"


@pytest.fixture
def endpoint() -> Endpoint:
    return load_runtime(os.environ["REALSERVICES_RUNTIME"]).services["events"]


@pytest.fixture
def server(endpoint: Endpoint) -> Iterator[Any]:
    """A server under test: a client of the service's database."""
    with clickhouse_connect.get_client(dsn=endpoint.url) as client:
        yield client


@pytest.fixture
def store(endpoint: Endpoint) -> Iterator[ClickHouseStore]:
    taken = ClickHouseStore(endpoint)
    taken.take()
    yield taken
    taken.close()


def state_of(server: Any) -> dict[str, list[Any]]:
    return {table: sorted(server.query(f"SELECT * FROM {table}").result_rows, key=repr) for table in [*TABLES, PER_DAY]}


@pytest.mark.parametrize("again", range(2))
def test_rows_come_and_go(server: Any, store: ClickHouseStore, again: int) -> None:
    before = state_of(server)
    for number in range(3):
        server.command(f"INSERT INTO users VALUES ({number}, 'new')")
        server.command(f"INSERT INTO events (ts, kind, user_id) VALUES (now64(), 'kind {number}', {number})")
        server.command("INSERT INTO notes VALUES ('second')")
        server.command("ALTER TABLE countries DELETE WHERE 1 SETTINGS mutations_sync = 2")
        assert state_of(server) != before
        store.restore()
        assert state_of(server) == before


def test_what_was_not_touched_stays(server: Any, store: ClickHouseStore) -> None:
    parts = "SELECT name FROM system.parts WHERE active AND table = 'users' AND database = 'test'"
    before = server.query(parts).result_rows
    store.restore()
    assert server.query(parts).result_rows == before


def test_asynchronous_inserts_are_undone(server: Any, store: ClickHouseStore) -> None:
    before = state_of(server)
    later = {"async_insert": 1, "wait_for_async_insert": 0, "async_insert_busy_timeout_ms": 60000}
    server.command("INSERT INTO users VALUES (7, 'later')", settings=later)
    store.restore()
    assert state_of(server) == before


def test_a_table_that_a_test_made_is_dropped_and_named(server: Any, store: ClickHouseStore) -> None:
    server.command("CREATE TABLE extra (a Int32) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(IsolationBrokenError, match=r"has changed the schema .*: made extra\. It has been restored"):
        store.restore()
    assert server.command("EXISTS TABLE extra") == 0
    store.restore()


def test_a_table_that_a_test_changed_or_dropped_is_made_again(server: Any, store: ClickHouseStore) -> None:
    before = state_of(server)
    server.command("ALTER TABLE users ADD COLUMN age UInt8")
    server.command("DROP TABLE notes SYNC")
    with pytest.raises(IsolationBrokenError, match="changed users, dropped notes"):
        store.restore()
    assert state_of(server) == before
    store.restore()


def test_what_is_kept_goes_with_the_store(server: Any, endpoint: Endpoint) -> None:
    kept = "SELECT count() FROM system.databases WHERE name LIKE 'realservices%_kept'"
    store = ClickHouseStore(endpoint)
    store.take()
    assert server.command(kept) == 1
    store.close()
    assert server.command(kept) == 0


async def test_a_restarted_server_is_restored_too(
    endpoint: Endpoint, store: ClickHouseStore, service_control: Any
) -> None:
    with clickhouse_connect.get_client(dsn=endpoint.url) as server:
        before = state_of(server)
        server.command("INSERT INTO users VALUES (9, 'new')")
        await service_control.kill("events")
        with pytest.raises(IsolationError, match=r"ClickHouse service 'events' \(//tests/services/clickhouse:events\)"):
            store.restore()
        await service_control.start("events")
        store.restore()
        assert state_of(server) == before
