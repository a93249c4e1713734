"""What dbmate makes in ClickHouse, in a database of the test's own."""

from __future__ import annotations

from typing import Any


async def test_both_migrations_have_run_and_the_seed_after_them(isolated_clickhouse: Any) -> None:
    assert await isolated_clickhouse.execute("SELECT name, active FROM users") == [("Ada", True)]
