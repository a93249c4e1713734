"""The benchmark's own packages must fit those of the ruleset, beside which they are installed."""

from __future__ import annotations

import re
from pathlib import Path

import bench

_BENCH = Path(bench.__file__).parent
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def test_no_package_is_pinned_twice() -> None:
    locks = (_BENCH / "requirements.lock", _BENCH.parent / "third_party/python/requirements.lock")
    own, rulesets = (set(_LOCKED.findall(lock.read_text(encoding="utf-8"))) for lock in locks)
    assert own
    assert rulesets
    assert own & rulesets == set()
