"""How `validate` uses a Redis."""

from __future__ import annotations

from typing import Any

from realservices.cli.validated_kind import TABLE, ValidatedKind, expect


class _Redis(ValidatedKind):
    spares_servers = False

    async def use(self, client: Any) -> str:
        await client.set(TABLE, "value")
        expect("what was written", await client.strlen(TABLE), len("value"))
        return f"Redis {(await client.info('server'))['redis_version']}: written, read"

    async def is_seen(self, client: Any) -> bool:
        return bool(await client.get(TABLE))


VALIDATED = _Redis()
