"""How long targets took: from build event files into one JSON file, which the machines of a job share.

The file: ``{"version": 1, "targets": {LABEL: [seconds of shard 1, of shard 2, …]}}``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.ci_shard.errors import ShardError
from realservices.ci_shard.test_targets import canonical
from realservices.contract.shapes import check, load_json
from realservices.report.build_events import read_build_events
from realservices.report.targets import read_targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from realservices.report.report_model import Target

_VERSION = 1
_SHAPE = {"version": int, "targets": {str: [float]}}
# How much a new duration counts: enough to follow a change, little enough not to follow one slow machine.
_NEW_SHARE = 0.3

Durations = dict[str, list[float]]


def read_durations(path: Path) -> Durations:
    """Return what a file of durations says: seconds of each shard, by label.

    Raises:
        ShardError: It cannot be read, or is none.
    """
    try:
        content = load_json(path.read_bytes())
        check(content, _SHAPE)
        if content["version"] != _VERSION:
            raise ValueError(f"its version is {content['version']}, and this tool reads version {_VERSION}")
        found = {str(label): [float(each) for each in shards] for label, shards in content["targets"].items()}
        if any(not shards or not all(0 <= each < float("inf") for each in shards) for shards in found.values()):
            raise ValueError("a duration is no number of seconds from 0")
    except OSError as error:
        raise ShardError(f"cannot read durations from {path}: {error.strerror}") from None
    except ValueError as error:
        raise ShardError(
            f"{path} is no file of durations: {error}; make it anew: tools/ci_shard record --output {path} EVENTS.json"
        ) from None
    return found


def write_durations(path: Path, durations: Mapping[str, list[float]]) -> None:
    """Write a file of durations, whole or not at all."""
    rounded = {label: [round(each, 3) for each in durations[label]] for label in sorted(durations)}
    text = json.dumps({"version": _VERSION, "targets": rounded}, indent=0)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def recorded(before: Mapping[str, list[float]], files: Iterable[Path]) -> Durations:
    """Return the durations with those of build event files, in the order of the files.

    A target that timed out or did not end counts with the time that it had. Results from a cache count, too: they say
    how long the target took when it ran.

    Raises:
        ShardError: A file cannot be read, or has no test results.
    """
    durations = {label: list(shards) for label, shards in before.items()}
    for path in files:
        targets = _targets(path)
        for target in targets:
            label = canonical(target.label)
            durations[label] = _mixed(durations.get(label, []), _seconds(target))
    return durations


def _targets(path: Path) -> list[Target]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            events = read_build_events(lines)
    except OSError as error:
        raise ShardError(f"cannot read build events from {path}: {error.strerror}") from None
    targets = [target for target in read_targets(events, reads_files=False) if target.attempts]
    if not targets:
        raise ShardError(f"{path} has no test results; write one with bazel test --build_event_json_file={path.name} …")
    return targets


def _seconds(target: Target) -> list[float]:
    """Return how long each shard took: the mean of its runs, all attempts of a run together."""
    by_shard: dict[int, dict[int, float]] = {}
    for attempt in target.attempts:
        runs = by_shard.setdefault(attempt.shard, {})
        runs[attempt.run] = runs.get(attempt.run, 0.0) + attempt.duration_ms / 1000
    return [sum(by_shard[shard].values()) / len(by_shard[shard]) for shard in sorted(by_shard)]


def _mixed(old: list[float], new: list[float]) -> list[float]:
    if len(old) != len(new):
        return new
    return [before + _NEW_SHARE * (after - before) for before, after in zip(old, new, strict=True)]
