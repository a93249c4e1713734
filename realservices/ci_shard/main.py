"""Split Bazel's tests over the machines of a CI job: print this machine's targets, or run a command with them.

    tools/ci_shard --total 4 --index 0 --durations durations.json -- bazel test --config=ci
    tools/ci_shard record --output durations.json events-*.json

Each machine computes the same plan from the same commit and the same file of durations.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.ci_shard.affected import EVERYTHING, affected, changed_files
from realservices.ci_shard.bazel_query import Bazel
from realservices.ci_shard.durations import read_durations, recorded, write_durations
from realservices.ci_shard.errors import ShardError
from realservices.ci_shard.machines import this_machine
from realservices.ci_shard.plan import Plan, TestTarget, make_plan
from realservices.ci_shard.test_targets import find_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

_JOBS = 4  # As many processors as hosted runners have. All machines must be told the same.
_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit code, or the command's."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["record"]:
            return _record(words[1:])
        command = words[words.index("--") + 1 :] if "--" in words else []
        return _shard(words[: words.index("--")] if "--" in words else words, command)
    except ShardError as error:
        print(f"ci_shard: {error}", file=sys.stderr)
        return _USAGE


def _record(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="ci_shard record", description="Record how long targets took.")
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENTS.json", help="--build_event_json_file of Bazel")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="durations; what it has is kept")
    options = parser.parse_args(words)
    before = read_durations(options.output) if options.output.exists() else {}
    after = recorded(before, options.events)
    write_durations(options.output, after)
    print(f"ci_shard: {options.output} has the durations of {len(after)} targets", file=sys.stderr)
    return 0


def _shard(words: list[str], command: list[str]) -> int:
    # What begins with a minus sign and is no option takes targets away.
    taken_away = [word for word in words if word.startswith(("-//", "-@", "-:"))]
    options = _parser().parse_args([word for word in words if word not in taken_away])
    options.patterns = [*(options.patterns or ["//..."]), *taken_away]
    total, index = this_machine(options.total, options.index)
    if options.jobs < 1:
        raise ShardError(f"--jobs is {options.jobs}; a machine runs at least 1 test at once")
    durations = read_durations(options.durations) if options.durations else {}
    plan = make_plan(_targets(options), durations, total, options.jobs)
    if options.expect and options.expect != plan.digest:
        raise ShardError(
            f"this machine's plan is {plan.digest}, expected was {options.expect}: the machines do not have the same "
            "commit, durations or options, so targets would be lost or run twice"
        )
    _tell(plan, index)
    return _run(command, plan.parts[index]) if command else _print(options, plan, index)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ci_shard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit codes: the command's; without one 0. 2: no plan can be made.",
    )  # fmt: skip
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="default: //...")
    parser.add_argument("--total", type=int, metavar="N", help="number of machines; default: what the CI system says")
    parser.add_argument("--index", type=int, metavar="I", help="this machine, from 0; likewise")
    parser.add_argument("--durations", type=Path, metavar="FILE", help="what `ci_shard record` wrote")
    parser.add_argument(
        "--jobs", type=int, default=_JOBS, metavar="N", help=f"tests that one machine runs at once (default {_JOBS})"
    )
    parser.add_argument("--affected-since", metavar="REV", help="only tests that a change since then can affect")
    parser.add_argument("--cached-since", metavar="REV", help="all tests; those unaffected since then cost a cache hit")
    parser.add_argument(
        "--all-if", action="append", default=[], metavar="GLOB", help="a changed file of this name affects all tests"
    )
    parser.add_argument("--expect", metavar="PLAN", help="fail unless the plan has this name")
    parser.add_argument("--json", action="store_true", help="print the whole plan")
    parser.add_argument(
        "--bazel", default=os.environ.get("BAZEL", "bazel"), metavar="COMMAND", help="default: $BAZEL, else bazel"
    )
    return parser


def _targets(options: argparse.Namespace) -> list[TestTarget]:
    bazel, here = Bazel(shlex.split(options.bazel), Path.cwd()), _workspace()
    everything = (*EVERYTHING, *options.all_if)

    def within(revision: str) -> str:
        return affected(bazel, here, changed_files(here, revision), everything)

    if options.affected_since:
        targets = find_targets(bazel, options.patterns, within=within(options.affected_since))
    else:
        targets = find_targets(bazel, options.patterns)
    if options.cached_since and (expression := within(options.cached_since)):
        fresh = {target.label for target in find_targets(bazel, options.patterns, within=expression)}
        targets = [replace(target, is_cached=target.label not in fresh) for target in targets]
    return targets


def _workspace() -> Path:
    for directory in (Path.cwd(), *Path.cwd().parents):
        if any((directory / name).is_file() for name in ("MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE")):
            return directory
    raise ShardError(f"{Path.cwd()} is in no Bazel workspace: no MODULE.bazel here or above")


def _tell(plan: Plan, index: int) -> None:
    count = sum(map(len, plan.parts))
    print(
        f"ci_shard: machine {index + 1} of {len(plan.parts)}: {len(plan.parts[index])} of {count} targets, about "
        f"{plan.seconds[index]:.0f} s (the last machine ends after {max(plan.seconds):.0f} s, no plan ends before "
        f"{plan.bound:.0f} s); {plan.unknown} without a recorded duration; plan {plan.digest}",
        file=sys.stderr,
    )


def _print(options: argparse.Namespace, plan: Plan, index: int) -> int:
    if options.json:
        content = {
            "version": 1,
            "plan": plan.digest,
            "index": index,
            "machines": [list(part) for part in plan.parts],
            "seconds": [round(each, 3) for each in plan.seconds],
            "bound": round(plan.bound, 3),
        }
        print(json.dumps(content))
    else:
        print("\n".join(plan.parts[index]), end="\n" if plan.parts[index] else "")
    return 0


def _run(command: list[str], labels: Sequence[str]) -> int:
    if not labels:
        print("ci_shard: nothing to test on this machine", file=sys.stderr)
        return 0
    with tempfile.NamedTemporaryFile("w", suffix=".targets", encoding="utf-8") as file:
        file.write("\n".join(labels) + "\n")
        file.flush()
        try:
            return subprocess.run([*command, f"--target_pattern_file={file.name}"], check=False).returncode
        except OSError as error:
            raise ShardError(f"cannot run {command[0]}: {error.strerror}") from None
