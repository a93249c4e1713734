"""Tests that change the same of the whole server, one after the other, while databases are made for later ones."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio


@pytest_asyncio.fixture
async def connection_to_clone(cloned_database: Any) -> Any:
    return await cloned_database.connect()


@pytest.fixture(params=["isolated_database", "connection_to_clone"])
def connection(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("number", range(3))
async def test_the_schema_changes(connection: Any, number: int) -> None:
    await connection.execute(f"CREATE TABLE made_{number} (a int); CREATE INDEX ON made_{number} (a)")
    await connection.execute(f"VACUUM made_{number}")
    made = await connection.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'made\\_%' AND relkind = 'r'")
    assert [row["relname"] for row in made] == [f"made_{number}"]


async def test_a_setting_of_the_server_changes(connection: Any) -> None:
    await connection.execute("ALTER SYSTEM SET work_mem = '7MB'")
    await connection.execute("SELECT pg_reload_conf()")
    assert await connection.fetchval("SELECT setting FROM pg_file_settings WHERE name = 'work_mem'") == "7MB"


async def test_the_next_test_finds_the_setting_of_the_service(connection: Any) -> None:
    assert await connection.fetchval("SHOW work_mem") != "7MB"
