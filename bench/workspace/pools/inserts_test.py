"""1,000 single INSERTs: in `isolated_database`'s transaction, and on what `performance_test_environment` gives."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from realservices.isolation.isolation_manager import process_manager
from realservices.kinds.postgres.isolated import postgres_of

_ROUNDS = 3


async def test_inserts() -> None:
    """Measure both, in turns."""
    postgres = postgres_of(process_manager())
    samples: dict[str, list[float]] = {"guarded_ms": [], "plain_ms": []}
    for _ in range(_ROUNDS):
        async with postgres.transaction(keep=True) as guarded:
            samples["guarded_ms"].append(await _inserts_ms(guarded))
        async with postgres.connection_to_clone() as plain:
            samples["plain_ms"].append(await _inserts_ms(plain))
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": samples}), encoding="utf-8")


async def _inserts_ms(connection: Any) -> float:
    await connection.execute("CREATE TABLE test_table (value text)")
    begin = time.perf_counter()
    for number in range(1000):
        await connection.execute("INSERT INTO test_table (value) VALUES ($1)", f"value_{number}")
    return (time.perf_counter() - begin) * 1000
