"""The migration guide's example for ClickHouse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guide import analytics


@pytest.mark.requires_clickhouse
@pytest.mark.parametrize("attempt", [1, 2])
async def test_event_processing(analytics_testing_environment: Any, attempt: int) -> None:
    # Twice, because the first must leave nothing behind.
    clickhouse = analytics_testing_environment["clickhouse"]
    filesystem = analytics_testing_environment["filesystem"]

    events_file = await filesystem.create_file(
        "events.json",
        '[{"event": "click", "user_id": 123, "timestamp": "2023-01-01T00:00:00"}]',
    )

    table_name = clickhouse.get_table_name("events")
    await clickhouse.execute(f"""
        CREATE TABLE {table_name} (
            event String,
            user_id UInt64,
            timestamp DateTime
        ) ENGINE = Memory
    """)

    await analytics.process_events_file(clickhouse, str(events_file))

    result = await clickhouse.execute(f"SELECT COUNT(*) FROM {table_name}")
    assert result[0][0] == 1


async def test_isolated_clickhouse(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SHOW TABLES") == []
    await isolated_clickhouse.execute("CREATE TABLE events (id UInt64) ENGINE = MergeTree ORDER BY id")
    await isolated_clickhouse.execute("INSERT INTO events VALUES (7)")
    assert await isolated_clickhouse.execute("SELECT id FROM events") == [(7,)]
