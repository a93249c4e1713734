from __future__ import annotations

from typing import Any


async def test_what_the_base_has_is_there_and_what_follows(isolated_database: Any) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await isolated_database.fetchval(tables) == 280
    assert await isolated_database.fetchrow("SELECT * FROM t255") == (2, "yes")
    assert await isolated_database.fetchval("SELECT count(*) FROM names") == 2


async def test_copies_of_the_database_are_like_it(cloned_database: Any) -> None:
    connection = await cloned_database.connect()
    assert await connection.fetchval("SELECT based FROM t255") == "yes"
    await connection.execute("INSERT INTO t2 VALUES (1); CREATE INDEX ON t2 (x)")
    assert await connection.fetchval("SELECT count(*) FROM t2") == 1
