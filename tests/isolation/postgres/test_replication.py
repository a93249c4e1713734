"""Logical replication with `settings = {"wal_level": "logical"}` and nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase

_TABLE = "CREATE TABLE orders (id int PRIMARY KEY)"
_DEADLINE_S = 30


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_slot_sees_what_is_committed_and_goes_with_its_test(cloned_database: ClonedDatabase, turn: int) -> None:
    client = await cloned_database.connect()
    assert await client.fetchval("SELECT count(*) FROM pg_replication_slots") == 0
    await client.execute(_TABLE)
    await client.execute("CREATE PUBLICATION all_orders FOR TABLE orders")
    await client.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    await client.execute("INSERT INTO orders VALUES ($1)", turn)
    changes = await client.fetch(
        "SELECT data FROM pg_logical_slot_peek_binary_changes("
        "'feed', NULL, NULL, 'proto_version', '1', 'publication_names', 'all_orders')"
    )
    assert [row["data"][:1] for row in changes] == [b"B", b"R", b"I", b"C"]


async def test_a_subscription_gets_the_rows(cloned_database: ClonedDatabase) -> None:
    client = await cloned_database.connect()
    await client.execute(_TABLE + "; INSERT INTO orders VALUES (1); CREATE PUBLICATION all_orders FOR TABLE orders")
    await client.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    await client.execute("CREATE DATABASE subscriber TEMPLATE template0")
    subscriber = await asyncpg.connect(cloned_database.url, database="subscriber")
    try:
        await subscriber.execute(_TABLE)
        # On one server the slot must be there before: its making would wait for the subscription's own transaction.
        await subscriber.execute(
            f"CREATE SUBSCRIPTION ours CONNECTION '{cloned_database.url}' PUBLICATION all_orders "
            "WITH (create_slot = false, slot_name = 'feed')"
        )
        await client.execute("INSERT INTO orders VALUES (2)")
        assert await _when_there_are(subscriber, 2) == [1, 2]
        await subscriber.execute("ALTER SUBSCRIPTION ours DISABLE")
        await subscriber.execute("ALTER SUBSCRIPTION ours SET (slot_name = NONE)")
        await subscriber.execute("DROP SUBSCRIPTION ours")
    finally:
        await subscriber.close()


async def _when_there_are(client: asyncpg.Connection, count: int) -> list[int]:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        found = [row["id"] for row in await client.fetch("SELECT id FROM orders ORDER BY id")]
        if len(found) == count:
            return found
        await client.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("the rows did not come")
