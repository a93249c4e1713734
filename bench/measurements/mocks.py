"""(k) The same five hundred tests with mocks and with a database: bench/workspace/mocks.

The time of the whole test action counts: the sandbox, Python's start, the server's, and what a transaction costs.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios

LETTER = "k"
TITLE = "the same 500 tests with mocks and with PostgreSQL (whole test actions)"
_PACKAGE = "//mocks:"
_NAMES = ("mocks", "transactions", "commits")


def measure(setting: Setting) -> Result:
    """Run every target by itself, in an order that turns round with each round."""
    setting.bazel.test([_PACKAGE + name for name in _NAMES])  # Builds everything and warms the caches.
    samples: dict[str, list[float]] = {}
    for number in range(setting.rounds(10, 2)):
        for name in _NAMES if number % 2 == 0 else reversed(_NAMES):
            run = setting.bazel.test([_PACKAGE + name])
            samples.setdefault(f"{name}_action_ms", []).append(run.action_ms[_PACKAGE + name][0])
    mocks = samples["mocks_action_ms"]
    rows = [
        Row("AsyncMock", mocks, "ms"),
        Row("isolated_database, rolled back", samples["transactions_action_ms"], "ms"),
        Row("    to mocks", paired_ratios(samples["transactions_action_ms"], mocks), "x", bar=1.0),
        Row("isolated_database, real commits", samples["commits_action_ms"], "ms"),
        Row("    to mocks", paired_ratios(samples["commits_action_ms"], mocks), "x", bar=1.2),
    ]
    return Result(LETTER, TITLE, rows, samples)
