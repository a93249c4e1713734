"""Events in a real ClickHouse, each test in a database of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from urllib3 import PoolManager

from analytics.errors import MalformedEventError
from analytics.store import EventStore, open_store
from analytics.testing import START, ClickHouseDatabase, Filesystem, event

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CLICK = {"event": "click", "user_id": 123, "timestamp": "2023-01-01T00:00:00"}

pytestmark = pytest.mark.requires_clickhouse


async def test_events_are_stored_as_they_came(store: EventStore, isolated_clickhouse: ClickHouseDatabase) -> None:
    await store.insert([event("click", 2**64 - 1, after=timedelta(milliseconds=1)), event("'; DROP TABLE x", 0)])
    rows = await isolated_clickhouse.execute("SELECT event, user_id, toUnixTimestamp64Milli(timestamp) FROM events")
    start_ms = int(START.timestamp() * 1000)
    assert sorted(rows) == [("'; DROP TABLE x", 0, start_ms), ("click", 2**64 - 1, start_ms + 1)]


@pytest.mark.parametrize("again", range(3))
async def test_every_test_finds_the_table_empty(store: EventStore, again: int) -> None:
    await store.insert([event("click", again)])
    assert await store.counts() == {"click": 1}


async def test_tables_are_made_once(store: EventStore) -> None:
    await store.insert([event("click", 1)])
    await store.create_tables()
    assert await store.counts() == {"click": 1}


async def test_event_that_arrives_again_counts_once(store: EventStore) -> None:
    events = [event("click", 1), event("click", 2)]
    await store.insert(events)
    await store.insert(events[:1])
    await store.insert([*events, event("click", 1, id="another")])
    assert await store.counts() == {"click": 3}


async def test_nothing_is_nothing(store: EventStore) -> None:
    await store.insert([])
    assert await store.counts() == {}
    assert await store.users_by_day("click") == {}
    assert await store.funnel(["open", "buy"], within=DAY) == [0, 0]


async def test_inserts_at_once_are_all_stored(store: EventStore) -> None:
    await asyncio.gather(*(store.insert([event("click", user)]) for user in range(20)))
    assert await store.counts() == {"click": 20}


async def test_insert_is_one_request(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    request = PoolManager.request

    def counted(self: PoolManager, method: str, url: str, **options: Any) -> Any:
        asked.append(url)
        return request(self, method, url, **options)

    monkeypatch.setattr(PoolManager, "request", counted)
    await store.insert([event("click", 1)])
    assert len(asked) == 1, "a question before it may find another table than the insert, or a server that is killed"


async def test_users_are_counted_by_day(store: EventStore) -> None:
    await store.insert(
        [
            event("click", 1),
            event("click", 1, after=HOUR),
            event("click", 2, after=DAY - timedelta(milliseconds=1)),
            event("click", 1, after=DAY),
            event("scroll", 3),
        ]
    )
    assert await store.users_by_day("click") == {date(2023, 1, 1): 2, date(2023, 1, 2): 1}


# Funnels


async def test_funnel_counts_users_as_far_as_they_came(store: EventStore) -> None:
    ways = {
        1: ["open", "chat", "buy"],
        2: ["open", "chat"],
        3: ["open"],
        4: ["chat", "buy"],
        5: ["buy", "chat", "open"],
    }
    events = [event(name, user, after=HOUR * at) for user, way in ways.items() for at, name in enumerate(way)]
    await store.insert(events)
    assert await store.funnel(["open", "chat", "buy"], within=DAY) == [4, 2, 1]


async def test_steps_may_have_others_between_them(store: EventStore) -> None:
    await store.insert([event(name, 1, after=HOUR * at) for at, name in enumerate(["open", "scroll", "open", "buy"])])
    assert await store.funnel(["open", "buy"], within=DAY) == [1, 1]


@pytest.mark.parametrize(("took", "expected"), [(HOUR, [1, 1]), (HOUR + timedelta(milliseconds=1), [1, 0])])
async def test_way_that_takes_too_long_does_not_count(store: EventStore, took: timedelta, expected: list[int]) -> None:
    await store.insert([event("open", 1), event("buy", 1, after=took)])
    assert await store.funnel(["open", "buy"], within=HOUR) == expected


async def test_name_of_a_step_is_never_part_of_the_statement(store: EventStore) -> None:
    await store.insert([event("open", 1), event("it's", 1, after=HOUR)])
    assert await store.funnel(["open", "it's", "') OR (1 = 1"], within=DAY) == [1, 1, 0]


# Files


async def test_events_of_a_file_are_stored(store: EventStore, filesystem: Filesystem) -> None:
    path = await filesystem.create_file("events.json", json.dumps([CLICK, {**CLICK, "user_id": 124}]))
    assert await store.process_events_file(str(path)) == 2
    assert await store.counts() == {"click": 2}


async def test_file_of_the_analytics_environment_is_stored(analytics_testing_environment: Mapping[str, Any]) -> None:
    clickhouse, filesystem = analytics_testing_environment["clickhouse"], analytics_testing_environment["filesystem"]
    path = await filesystem.create_file("events.json", json.dumps([CLICK]))
    async with open_store(clickhouse.url) as store:
        await store.process_events_file(path)
    query = f"SELECT event, user_id FROM {clickhouse.get_table_name('events')}"  # noqa: S608  # quoted by the fixture
    assert await clickhouse.execute(query) == [("click", 123)]


async def test_file_that_is_processed_again_counts_once(store: EventStore, filesystem: Filesystem) -> None:
    path = await filesystem.create_file("events.json", json.dumps([CLICK, CLICK]))
    for _ in range(2):
        assert await store.process_events_file(path) == 2
    assert await store.counts() == {"click": 2}


async def test_of_a_file_with_a_wrong_event_nothing_is_stored(store: EventStore, filesystem: Filesystem) -> None:
    path = await filesystem.create_file("events.json", json.dumps([CLICK, {**CLICK, "timestamp": "yesterday"}]))
    with pytest.raises(MalformedEventError, match="event 1: timestamp"):
        await store.process_events_file(path)
    assert await store.counts() == {}


async def test_file_that_is_not_there_is_said(store: EventStore, filesystem: Filesystem) -> None:
    path = await filesystem.create_file("events.json")
    path.unlink()
    with pytest.raises(FileNotFoundError):
        await store.process_events_file(path)


async def test_wrong_password_is_refused(isolated_clickhouse: ClickHouseDatabase) -> None:
    scheme, _, rest = isolated_clickhouse.url.partition("://")
    credentials, _, place = rest.rpartition("@")
    wrong = f"{scheme}://{credentials.partition(':')[0]}:wrong@{place}"
    with pytest.raises(DatabaseError):
        async with open_store(wrong):
            pass
