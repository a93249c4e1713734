from __future__ import annotations

import os
from typing import Any

import asyncpg
import pytest


@pytest.mark.parametrize("n", range(4))
async def test_programs_have_a_database_of_the_workers_own(n: int, worker_id: str, isolated_database: Any) -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"CREATE TABLE {worker_id}_{n} ()")
    tables = await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^gw[01]_[0-9]+$'")
    await connection.close()
    assert {row["relname"].partition("_")[0] for row in tables} == {worker_id}
    assert name == os.environ["TEST_POSTGRES_DB"] == os.environ["APP_DATABASE"]
    assert os.environ["APP_URL"] == os.environ["DATABASE_URL"].replace("://", "+asyncpg://", 1) + "?a=1"
    assert await isolated_database.fetchval(f"SELECT to_regclass('{worker_id}_{n}')") is None
