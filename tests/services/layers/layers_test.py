from __future__ import annotations

from typing import Any


async def test_all_parts_and_the_seeds_are_there(isolated_database: Any) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await isolated_database.fetchval(tables) == 281
    assert await isolated_database.fetchval("SELECT x FROM t255") == 2


async def test_copies_of_the_database_are_like_it(cloned_database: Any) -> None:
    connection = await cloned_database.connect()
    assert await connection.fetchval("SELECT x FROM t255") == 2
    await connection.execute("INSERT INTO t1 VALUES (1); CREATE INDEX ON t1 (x)")
    assert await connection.fetchval("SELECT count(*) FROM t1") == 1
