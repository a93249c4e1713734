"""How `validate` uses a ClickHouse."""

from __future__ import annotations

from typing import Any

from realservices.cli.validated_kind import SERVERS, TABLE, ValidatedKind, expect


class _ClickHouse(ValidatedKind):
    async def use(self, client: Any) -> str:
        table = client.get_table_name(TABLE)
        await client.execute(f"CREATE TABLE {table} (value Int32) ENGINE = MergeTree ORDER BY value")
        await client.execute(f"INSERT INTO {table} VALUES (1)")
        expect("what was written", await client.execute(f"SELECT value FROM {table}"), [(1,)])
        return f"ClickHouse {(await client.execute('SELECT version()'))[0][0]}: written, read"

    async def use_servers(self, client: Any) -> str:
        return f"ClickHouse {(await client.execute('SELECT version()'))[0][0]}: {SERVERS}"

    async def is_seen(self, client: Any) -> bool:
        return bool((await client.execute(f"EXISTS TABLE {client.get_table_name(TABLE)}"))[0][0])


VALIDATED = _ClickHouse()
