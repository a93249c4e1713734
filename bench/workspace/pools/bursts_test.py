"""Take databases in bursts, as suites do that run tests together: two ready ahead, then as many as the demand asks for.

Writes how long a test waited for a connection to its database, on average, to result.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from realservices.isolation.isolation_manager import process_manager
from realservices.kinds.postgres.isolated import postgres_of
from realservices.performance_optimization import OptimizationLevel, create_optimized_environment_manager

_BURSTS = 20
_TESTS = 10
_WORK_S = 0.3  # 10 databases in 0.3 s is less than the server can make: only the bursts are a difficulty.


async def test_bursts() -> None:
    """Measure both."""
    manager = create_optimized_environment_manager(OptimizationLevel.CI_THOROUGH)
    await manager.initialize()
    fixed, adaptive = postgres_of(process_manager()), postgres_of(manager.optimizer.manager)
    fixed.expect(transactions=False, databases=_BURSTS * _TESTS)
    samples = {"fixed_ms": [await _mean_wait_ms(fixed)], "adaptive_ms": [await _mean_wait_ms(adaptive)]}
    await manager.shutdown()
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": samples}), encoding="utf-8")


async def _mean_wait_ms(postgres: Any) -> float:
    waits: list[float] = []

    async def use() -> None:
        begin = time.perf_counter()
        async with postgres.connection_to_clone():
            waits.append(time.perf_counter() - begin)
            await asyncio.sleep(_WORK_S)

    for _ in range(_BURSTS):
        await asyncio.gather(*(use() for _ in range(_TESTS)))
    return statistics.mean(waits) * 1000
