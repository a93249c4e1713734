"""Run 200 environments: one after the other, 50 at once with pools, and 50 at once with everything new for each.

Each does 20 ms of waiting, as for another server, between two statements. How long all of it took goes to result.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from realservices.isolated_environment_manager import IsolatedEnvironmentManager
from realservices.performance_optimization import OptimizationLevel, create_optimized_environment_manager

_ENVIRONMENTS = 200
_AT_ONCE = 50
_WORK_S = 0.02


async def test_at_once() -> None:
    """Measure all three."""
    samples = {"in_turn_ms": [await _all_ms(IsolatedEnvironmentManager(), at_once=1)]}
    for name, pooling in (("pooled_ms", True), ("new_ms", False)):
        overrides = {"max_concurrent_tests": _AT_ONCE, "pool_max_connections": 100, "enable_resource_pooling": pooling}
        manager = create_optimized_environment_manager(OptimizationLevel.CI_THOROUGH, overrides)
        samples[name] = [await _all_ms(manager, at_once=_AT_ONCE)]
        await manager.shutdown()
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": samples}), encoding="utf-8")


async def _all_ms(manager: Any, *, at_once: int) -> float:
    await manager.initialize()

    async def use(number: int) -> None:
        async with manager.create_test_environment(f"test {number}", ["database"]) as environment:
            await environment["database"].execute("INSERT INTO customer (email, name) VALUES ('a@example.com', 'A')")
            await asyncio.sleep(_WORK_S)
            await environment["database"].fetchval("SELECT count(*) FROM customer")

    begin = time.perf_counter()
    for _ in range(_ENVIRONMENTS // at_once):
        await asyncio.gather(*(use(number) for number in range(at_once)))
    return (time.perf_counter() - begin) * 1000
