"""Checks the schema that the migrations make, as a plain program: no pytest, no fixtures, one environment variable.

AUTH_DB is the URL of a migrated database. Exits 1 and says why if the schema is not what the service's queries need.
"""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg

TABLES = {
    "users": {"id", "email", "password_hash", "created_at", "last_login_at"},
    "audit": {"id", "user_id", "event", "at"},
}


async def problems(connection: asyncpg.Connection) -> list[str]:
    """Say what is wrong, one line each."""
    found = []
    for table, columns in TABLES.items():
        rows = await connection.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)
        missing = columns - {row["column_name"] for row in rows}
        if missing:
            found.append(f"table {table} has no column {', '.join(sorted(missing))}")
        if await connection.fetchval("SELECT count(*) FROM pg_stat_user_tables WHERE relname = $1", table) != 1:
            found.append(f"there is not exactly one table {table}")
    try:
        await connection.execute(
            "INSERT INTO users (email, password_hash) VALUES ('a@example.com', ''), ('A@example.com', '')"
        )
    except asyncpg.UniqueViolationError:
        pass
    else:
        found.append("one address can have two accounts")
    return found


async def main() -> int:
    """Check, report, and return the exit code."""
    connection = await asyncpg.connect(os.environ["AUTH_DB"])
    try:
        found = await problems(connection)
    finally:
        await connection.close()
    for problem in found:
        print(f"schema_check: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
