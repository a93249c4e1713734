"""The command line of tools/bench: which measurements, how often, where the numbers go."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.bazel import Bazel
from bench.errors import BenchError
from bench.machine import is_idle, machine_facts
from bench.measurements import (
    analysis,
    commits,
    fresh,
    inputs,
    isolation,
    layers,
    many,
    memory,
    mocks,
    pools,
    start,
    target,
    warm,
)
from bench.measurements.setting import Setting
from bench.rows import MISSED, Result, render
from bench.workspace import cache_directory, write_workspace

CHECKOUT = Path(__file__).resolve().parent.parent
MEASUREMENTS: dict[str, ModuleType] = {
    module.LETTER: module
    for module in (start, target, isolation, many, memory, inputs, pools, fresh, warm, commits, mocks, analysis, layers)
}
_EXIT_MISSED, _EXIT_BROKEN = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write the JSON; return the exit code.

    Returns:
        0; 1 if a bar was missed and --check was given; 2 if something broke.
    """
    options = _parse(arguments)
    if not is_idle():
        print("bench: this machine is busy: believe the ratios, not the milliseconds", file=sys.stderr)
    facts = machine_facts()
    results: list[Result] = []
    broken: list[str] = []
    try:
        setting = _setting(options)
        facts["bazel"] = setting.bazel.version()
        for letter in options.only:
            print(f"bench: ({letter}) {MEASUREMENTS[letter].TITLE}", file=sys.stderr, flush=True)
            try:
                results.append(MEASUREMENTS[letter].measure(setting))
            except BenchError as error:
                broken.append(letter)
                print(f"bench: ({letter}) could not be measured: {error}", file=sys.stderr, flush=True)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return _EXIT_BROKEN
    if results:
        print(render(results))
    if options.json:
        _write_json(options.json, facts | {"load_1min_after": machine_facts()["load_1min"]}, options, results, broken)
    if broken:
        return _EXIT_BROKEN
    missed = any(row.verdict == MISSED for result in results for row in result.rows)
    return _EXIT_MISSED if missed and options.check else 0


def _setting(options: argparse.Namespace) -> Setting:
    workspace = cache_directory().resolve() / "bench"
    write_workspace(workspace, checkout=CHECKOUT)
    return Setting(Bazel(options.bazel, workspace, options.bazel_flag), options.runs, options.quick)


def _write_json(
    path: Path, facts: dict[str, Any], options: argparse.Namespace, results: Sequence[Result], broken: Sequence[str]
) -> None:
    content = {
        "version": 1,
        "machine": facts,
        "options": {"only": options.only, "runs": options.runs, "quick": options.quick, "flags": options.bazel_flag},
        "measurements": {result.letter: result.as_json() for result in results},
        "broken": list(broken),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _letters(text: str) -> list[str]:
    letters = [letter.strip() for letter in text.split(",")]
    unknown = sorted(set(letters) - set(MEASUREMENTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not among {', '.join(MEASUREMENTS)}")
    return letters


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    known = "; ".join(f"{letter}: {module.TITLE}" for letter, module in MEASUREMENTS.items())
    parser = argparse.ArgumentParser(prog="tools/bench", description="Measures what this ruleset claims.", epilog=known)
    parser.add_argument("--only", type=_letters, default=list(MEASUREMENTS), metavar="a,b,…", help="which measurements")
    parser.add_argument("--runs", type=_positive, metavar="N", help="how often to repeat (default: as each one needs)")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to try the tool, not to judge by")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument(
        "--bazel",
        type=shlex.split,
        default=[str(CHECKOUT / "tools/bazelw")],
        metavar="COMMAND",
        help="Bazel to measure with (default: tools/bazelw)",
    )
    parser.add_argument("--bazel_flag", action="append", default=[], metavar="FLAG", help="a flag for every build")
    return parser.parse_args(arguments)
