"""A database per test: what is in it, what a test can do with it, and what the next test sees of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from realservices.control.client import BlockingServiceControl
from realservices.fixtures.pytest_session import manager_of
from realservices.isolation.errors import IsolationError
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.clickhouse.isolated import ISOLATED
from realservices.kinds.clickhouse.isolation.pool import DatabasePool
from realservices.sources.services import find_services

SEEDED = ["countries", "events", "kinds", "notes", "per_day", "users"]
_seen: list[str] = []
_used: list[str] = []

pytestmark = pytest.mark.requires_clickhouse


async def test_the_schema_and_the_rows_are_in_it(isolated_clickhouse: Any) -> None:
    counts = [(await isolated_clickhouse.execute(f"SELECT count() FROM {table}"))[0][0] for table in SEEDED]
    assert counts == [2, 1, 1, 1, 1, 2]
    assert await isolated_clickhouse.execute("SELECT id, name FROM users ORDER BY id") == [(1, "ann"), (2, "bob;")]
    assert await isolated_clickhouse.execute("SELECT countMerge(n) FROM per_day") == [(1,)]
    assert await isolated_clickhouse.execute("SELECT name, n FROM active_users") == [("ann", 1)]


async def test_views_and_dictionaries_are_of_the_same_database(isolated_clickhouse: Any) -> None:
    await isolated_clickhouse.execute("INSERT INTO events (ts, kind, user_id) VALUES ('2026-01-03 00:00:00', 'new', 2)")
    assert await isolated_clickhouse.execute("SELECT kind FROM kinds WHERE kind = 'new'") == [("new",)]
    assert await isolated_clickhouse.execute("SELECT countMerge(n) FROM per_day") == [(2,)]
    assert await isolated_clickhouse.execute("SELECT name FROM active_users ORDER BY name") == [("ann",), ("bob;",)]
    await isolated_clickhouse.execute("INSERT INTO countries VALUES ('fr', 'France')")
    name = await isolated_clickhouse.execute("SELECT dictGet('country_names', 'name', tuple('fr'))")
    assert name == [("France",)]


@pytest.mark.parametrize("again", range(12))
async def test_nothing_is_left_for_the_next_test(isolated_clickhouse: Any, again: int) -> None:
    assert isolated_clickhouse.database not in _seen
    _seen.append(isolated_clickhouse.database)
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(2,)]
    await isolated_clickhouse.execute("INSERT INTO users VALUES (3, 'cleo')")
    await isolated_clickhouse.execute("ALTER TABLE users ADD COLUMN age UInt8")
    await isolated_clickhouse.execute("DROP TABLE notes")
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(3,)]


@pytest.mark.parametrize("again", range(12))
async def test_rows_are_gone_whether_the_database_is_another_one_or_not(isolated_clickhouse: Any, again: int) -> None:
    _used.append(isolated_clickhouse.database)
    counts = [(await isolated_clickhouse.execute(f"SELECT count() FROM {table}"))[0][0] for table in SEEDED]
    assert counts == [2, 1, 1, 1, 1, 2]
    await isolated_clickhouse.execute("INSERT INTO users VALUES (3, 'cleo')")
    await isolated_clickhouse.execute("INSERT INTO events (ts, kind, user_id) VALUES (now64(), 'new', 2)")
    await isolated_clickhouse.execute("INSERT INTO notes VALUES ('second')")
    await isolated_clickhouse.execute("ALTER TABLE countries UPDATE name = 'x' WHERE 1 SETTINGS mutations_sync = 2")


_LATE = {
    "a mutation": "ALTER TABLE users UPDATE name = toString(sleepEachRow(1)) WHERE 1 SETTINGS mutations_sync = 0",
    "detached parts": "ALTER TABLE events DETACH PARTITION 202601",
    "as many other rows": "TRUNCATE TABLE notes",
    "stopped merges": "SYSTEM STOP MERGES users",
}


@pytest.mark.parametrize("late", _LATE)
@pytest.mark.parametrize("again", range(6))
async def test_what_comes_later_or_cannot_be_seen(isolated_clickhouse: Any, late: str, again: int) -> None:
    async def ask(sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await isolated_clickhouse.execute(sql)
        return rows

    assert await ask("SELECT name FROM users ORDER BY id") == [("ann",), ("bob;",)]
    assert await ask("SELECT line FROM notes") == [("first",)]
    await ask("INSERT INTO users VALUES (3, 'cleo')")
    await ask("OPTIMIZE TABLE users FINAL")
    await ask(_LATE[late])
    await ask("INSERT INTO notes VALUES ('other')")
    if late != "detached parts":
        assert await ask("SELECT count() FROM events") == [(1,)]
    await ask("ALTER TABLE events ATTACH PARTITION 202601")
    assert await ask("SELECT count() FROM events") == [(1,)]
    if late == "detached parts":
        await ask(_LATE[late])


def test_takes_that_fail_are_no_use_of_the_pool(service_control_sync: BlockingServiceControl) -> None:
    endpoint = find_services().endpoint("clickhouse")
    pool = DatabasePool(endpoint, ReadyDatabases(dataclasses.replace(endpoint, ready_databases=()), ""))
    service_control_sync.stop(endpoint.name)
    for _ in range(4):
        with pytest.raises(IsolationError, match="does not answer"):
            pool.take()
    service_control_sync.start(endpoint.name)
    pool.expect(2)
    assert len(pool._ready) == 2
    pool.close(drop=True)


def test_workers_share_the_database_that_names_itself(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    manager = manager_of(request.config)
    endpoint = manager.services.endpoint("clickhouse")
    info = json.loads(Path(endpoint.template_info).read_bytes())
    info["replay"]["refusal"] = "the view v names its database 'test'"
    (tmp_path / "info.json").write_text(json.dumps(info), encoding="utf-8")
    like_it = dataclasses.replace(endpoint, template_info=str(tmp_path / "info.json"))
    assert ISOLATED.worker_database(manager, like_it, "gw0_run") == ""


async def test_databases_were_used_again(isolated_clickhouse: Any) -> None:
    assert len(set(_used)) < len(_used)


@pytest.mark.parametrize("again", range(3))
async def test_what_a_dictionary_has_read_is_forgotten(isolated_clickhouse: Any, again: int) -> None:
    await isolated_clickhouse.execute(f"INSERT INTO countries VALUES ('fr', 'France {again}')")
    name = await isolated_clickhouse.execute("SELECT dictGet('country_names', 'name', tuple('fr'))")
    assert name == [(f"France {again}",)]


async def test_what_a_test_puts_into_the_services_own_database_is_no_seed(isolated_clickhouse: Any) -> None:
    await isolated_clickhouse.execute("INSERT INTO test.users VALUES (99, 'elsewhere')")
    assert await isolated_clickhouse.execute("SELECT count() FROM users WHERE id = 99") == [(0,)]
    await isolated_clickhouse.execute("ALTER TABLE users ADD COLUMN age UInt8")  # Not to be used again.


@pytest.mark.parametrize("again", range(6))
async def test_rows_elsewhere_are_not_here(isolated_clickhouse: Any, again: int) -> None:
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(2,)]
    await isolated_clickhouse.execute("DROP TABLE notes")


async def test_databases_of_tests_that_are_over_are_gone(isolated_clickhouse: Any) -> None:
    async def present() -> set[str]:
        rows = await isolated_clickhouse.execute("SELECT name FROM system.databases WHERE name LIKE 'realservices_%'")
        return {name for (name,) in rows}

    deadline = time.monotonic() + 30
    while left := await present() & set(_seen):
        assert time.monotonic() < deadline, left


async def test_get_table_name_is_qualified(isolated_clickhouse: Any) -> None:
    table = isolated_clickhouse.get_table_name("clicks")
    assert table == f"{isolated_clickhouse.database}.clicks"
    assert await isolated_clickhouse.execute(f"CREATE TABLE {table} (event String, at DateTime) ENGINE = Memory") == []
    assert await isolated_clickhouse.execute(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    odd = isolated_clickhouse.get_table_name("it's `odd`")
    await isolated_clickhouse.execute(f"CREATE TABLE {odd} (a Int32) ENGINE = Memory")
    names = await isolated_clickhouse.execute(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%odd%'"
    )
    assert names == [("it's `odd`",)]


async def test_parameters_and_types(isolated_clickhouse: Any) -> None:
    row = await isolated_clickhouse.execute(
        "SELECT {a:UInt64} AS a, {b:Array(String)}, toDate('2026-01-02')", {"a": 2**63, "b": ["x;'"]}
    )
    assert row[0][:2] == (2**63, ["x;'"])
    assert str(row[0][2]) == "2026-01-02"
    assert await isolated_clickhouse.execute("SELECT %(name)s", {"name": "it's"}) == [("it's",)]
    await isolated_clickhouse.execute("INSERT INTO users VALUES ({id:UInt64}, {name:String})", {"id": 9, "name": "a;b"})
    assert await isolated_clickhouse.execute("SELECT name FROM users WHERE id = 9") == [("a;b",)]


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "DESCRIBE users", "WITH 1 AS a SELECT a", "EXISTS users", "-- why\nSELECT 1;"]
)
async def test_statements_that_give_rows(isolated_clickhouse: Any, sql: str) -> None:
    assert await isolated_clickhouse.execute(sql)


async def test_settings_and_temporary_tables_last_as_long_as_the_test(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SET max_block_size = 1234") == []
    assert await isolated_clickhouse.execute("SELECT getSetting('max_block_size')") == [(1234,)]
    await isolated_clickhouse.execute("CREATE TEMPORARY TABLE mine (a Int32)")
    await isolated_clickhouse.execute("INSERT INTO mine VALUES (1)")
    assert await isolated_clickhouse.execute("SELECT a FROM mine") == [(1,)]


async def test_settings_of_the_test_before_are_gone(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SELECT getSetting('max_block_size')") != [(1234,)]


async def test_statements_at_once_wait_for_each_other(isolated_clickhouse: Any) -> None:
    rows = await asyncio.gather(*(isolated_clickhouse.execute(f"SELECT {n}, sleep(0.01)") for n in range(10)))
    assert [row[0][0] for row in rows] == list(range(10))


_kept: list[Any] = []


@pytest.mark.parametrize("again", range(2))
def test_a_database_that_code_keeps_is_not_another_tests(isolated_clickhouse_sync: Any, again: int) -> None:
    _kept.append(isolated_clickhouse_sync)
    assert isolated_clickhouse_sync.execute("SELECT 1") == [(1,)]
    for kept in _kept[:-1]:
        with pytest.raises(IsolationError, match="isolated_clickhouse belongs to a test that has ended"):
            kept.execute("INSERT INTO users VALUES (3, 'cleo')")


async def test_the_raw_client_is_of_the_same_database(isolated_clickhouse: Any) -> None:
    client = isolated_clickhouse.client
    assert client is isolated_clickhouse.client
    assert client.database == isolated_clickhouse.database
    client.insert("users", [[7, "zoe"]], column_names=["id", "name"])
    assert await isolated_clickhouse.execute("SELECT name FROM users WHERE id = 7") == [("zoe",)]


async def test_the_client_is_awaited(isolated_clickhouse: Any) -> None:
    client = await isolated_clickhouse.async_client
    await client.insert("users", [[7, "zoe"]], column_names=["id", "name"])
    result = await isolated_clickhouse.async_client.query("SELECT name FROM users WHERE id = 7")
    assert result.result_rows == [("zoe",)]
    assert client.database == isolated_clickhouse.database
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        client.nosuch  # noqa: B018


async def test_code_under_test_connects_by_url(isolated_clickhouse: Any) -> None:
    with clickhouse_connect.get_client(dsn=isolated_clickhouse.url) as client:
        client.command("INSERT INTO users VALUES (8, 'by url')")
    assert await isolated_clickhouse.execute("SELECT name FROM users WHERE id = 8") == [("by url",)]
    address = f"http://{isolated_clickhouse.host}:{isolated_clickhouse.http_port}/ping"
    assert urllib.request.urlopen(address).read() == b"Ok.\n"


async def test_errors_are_the_clients_own(isolated_clickhouse: Any) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        await isolated_clickhouse.execute("SELECT * FROM nosuch")
    with pytest.raises(DatabaseError, match="SYNTAX_ERROR"):
        await isolated_clickhouse.execute("SELEC 1")
    assert await isolated_clickhouse.execute("SELECT 1") == [(1,)]


def test_blocking(isolated_clickhouse_sync: Any) -> None:
    assert isolated_clickhouse_sync.execute("INSERT INTO users VALUES (3, 'cleo')") == []
    assert isolated_clickhouse_sync.execute("SELECT count() FROM users") == [(3,)]
    assert isolated_clickhouse_sync.client.query("SELECT count() FROM users").result_rows == [(3,)]


async def test_both_fixtures_are_one_database(isolated_clickhouse: Any, isolated_clickhouse_sync: Any) -> None:
    await isolated_clickhouse.execute("INSERT INTO users VALUES (3, 'cleo')")
    assert isolated_clickhouse_sync.execute("SELECT count() FROM users") == [(3,)]
    assert isolated_clickhouse_sync.database == isolated_clickhouse.database


async def test_the_databases_come_back_with_the_server(isolated_clickhouse: Any, service_control: Any) -> None:
    await isolated_clickhouse.execute("INSERT INTO users VALUES (3, 'cleo')")
    await service_control.kill("events")
    await service_control.start("events")
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(3,)]


async def test_after_a_restart(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(2,)]


async def test_a_test_that_left_the_server_down_harms_only_itself(
    isolated_clickhouse: Any, service_control: Any
) -> None:
    await service_control.kill("events")
    with pytest.raises(Exception, match=r"refused|reset|closed|Failed to|does not answer"):
        await isolated_clickhouse.execute("SELECT 1")


async def test_after_a_server_that_was_left_down(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(2,)]
