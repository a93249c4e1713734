"""What every migrator makes, in two steps: a table of users, and a column with a default."""

from __future__ import annotations

from typing import Any


async def test_both_migrations_have_run_and_the_seed_after_them(isolated_database: Any) -> None:
    row = await isolated_database.fetchrow("SELECT name, active FROM users")
    assert (row["name"], row["active"]) == ("Ada", True)
