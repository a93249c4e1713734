"""Say why one checkout does not find in the remote cache what another one has put there.

    bazel test //... --execution_log_json_file=/tmp/first.json       # in each checkout or on each machine
    tools/compare_actions /tmp/first.json /tmp/second.json

An action's key in the cache is made of its command, environment, platform and inputs. Actions whose keys differ are
told with what differs; those that only follow from the output of another one are counted.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.actions.errors import LogError
from realservices.actions.log_comparison import Comparison, compare_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; return 0 if all keys and outputs are the same, 1 if not, 2 if a log cannot be read."""
    parser = argparse.ArgumentParser(
        prog="compare_actions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path, metavar="FIRST.json")
    parser.add_argument("second", type=Path, metavar="SECOND.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    try:
        result = compare_logs(options.first, options.second)
    except LogError as error:
        print(f"compare_actions: {error}", file=sys.stderr)
        return _USAGE
    print(json.dumps(_content(result)) if options.json else "\n".join(_lines(result)))
    return 0 if result.is_equal else 1


def _lines(result: Comparison) -> list[str]:
    lines = []
    for name, causes in result.causes.items():
        lines += [f"{name}: {name.output}", *(f"  {cause}" for cause in causes)]
    lines += [f"{name}: only in the {log} log" for name, log in result.lonely.items()]
    if result.followers:
        lines.append(f"{len(result.followers)} more only because of these:")
        lines += [f"  {name}: {followed[0]}" for name, followed in result.followers.items()]
    differing = len(result.causes) + len(result.followers)
    return [*lines, f"{result.compared} actions compared, {differing} differ, {len(result.lonely)} in one log only"]


def _content(result: Comparison) -> dict[str, object]:
    return {
        "version": 1,
        "compared": result.compared,
        "differ": [{"target": n.target, "mnemonic": n.mnemonic, "why": why} for n, why in result.causes.items()],
        "follow": [{"target": n.target, "mnemonic": n.mnemonic, "from": why} for n, why in result.followers.items()],
        "in_one_log": [{"target": n.target, "mnemonic": n.mnemonic, "log": log} for n, log in result.lonely.items()],
    }
