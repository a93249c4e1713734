"""How `validate` uses a PostgreSQL."""

from __future__ import annotations

from typing import Any

from realservices.cli.validated_kind import SERVERS, TABLE, ValidatedKind, expect


class _Postgres(ValidatedKind):
    async def use(self, client: Any) -> str:
        await client.execute(f"CREATE TABLE {TABLE} (value int)")
        await client.execute(f"INSERT INTO {TABLE} VALUES (1)")
        expect("what was written", await client.fetchval(f"SELECT value FROM {TABLE}"), 1)
        return f"PostgreSQL {await client.fetchval('SHOW server_version')}: written, read"

    async def use_servers(self, client: Any) -> str:
        # A table of this connection alone.
        await client.execute(f"CREATE TEMPORARY TABLE {TABLE} AS SELECT 1 AS value")
        expect("what was written", await client.fetchval(f"SELECT value FROM {TABLE}"), 1)
        return f"PostgreSQL {await client.fetchval('SHOW server_version')}: {SERVERS}"

    async def is_seen(self, client: Any) -> bool:
        return await client.fetchval(f"SELECT to_regclass('{TABLE}')") is not None


VALIDATED = _Postgres()
