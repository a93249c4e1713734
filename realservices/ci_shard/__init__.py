"""Splits Bazel's test targets over the machines of a CI job, so that all of them end together.

A tool for CI: it asks Bazel which targets there are (`test_targets.py`), what a change affects (`affected.py`), knows
from earlier build event files how long each took (`durations.py`), and gives each machine its part (`plan.py`). Every
machine computes the same plan, so that no target is lost or run twice. `tools/ci_shard` starts `main.py`.
"""
