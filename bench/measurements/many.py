"""(d) A hundred targets in one build, with services and without, as many at once as Bazel chooses."""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences, paired_ratios

LETTER = "d"
TITLE = "a hundred targets in one build"
_TARGETS = 100
_QUICK_TARGETS = 10


def measure(setting: Setting) -> Result:
    """Test all that have services and all that have none, in turns, the other kind first in each second round."""
    count = _QUICK_TARGETS if setting.is_quick else _TARGETS
    kinds = {kind: [f"//many:{kind}_{number}" for number in range(count)] for kind in ("with", "without")}
    setting.bazel.build([*kinds["with"], *kinds["without"]])
    setting.bazel.test([*kinds["with"][:4], *kinds["without"][:4]])  # Warms the caches.
    walls: dict[str, list[float]] = {"with_wall_s": [], "without_wall_s": []}
    for number in range(min(setting.rounds(4, 1), 4)):
        for kind in ("with", "without") if number % 2 == 0 else ("without", "with"):
            walls[f"{kind}_wall_s"].append(setting.bazel.test(kinds[kind]).wall_s)
    added = paired_differences(walls["with_wall_s"], walls["without_wall_s"])
    rows = [
        Row(f"{count} targets that use PostgreSQL and Redis", walls["with_wall_s"], "s"),
        Row(f"{count} targets without services", walls["without_wall_s"], "s"),
        Row("with / without", paired_ratios(walls["with_wall_s"], walls["without_wall_s"]), "x"),
        Row("added to the build by each target's services", [1000 * wall_s / count for wall_s in added], "ms"),
    ]
    notes = [f"only {count} targets: a quick run"] if count != _TARGETS else []
    return Result(LETTER, TITLE, rows, walls, notes)
