"""The fixture of the tests in this folder: a store in a ClickHouse database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics.store import EventStore, open_store
from analytics.testing import ClickHouseDatabase


@pytest.fixture
async def store(isolated_clickhouse: ClickHouseDatabase) -> AsyncIterator[EventStore]:
    async with open_store(isolated_clickhouse.url) as store:
        await store.create_tables()
        yield store
