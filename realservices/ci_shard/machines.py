"""Which of how many machines this is, as CI systems say it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.ci_shard.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables for the number of machines and for this one's index, and what the first index is. Sources: GitLab CI/CD
# "Predefined variables reference", Buildkite "Environment variables", CircleCI "Project values and variables".
_SYSTEMS = (
    ("CI_NODE_TOTAL", "CI_NODE_INDEX", 1),
    ("BUILDKITE_PARALLEL_JOB_COUNT", "BUILDKITE_PARALLEL_JOB", 0),
    ("CIRCLE_NODE_TOTAL", "CIRCLE_NODE_INDEX", 0),
)


def this_machine(total: int | None, index: int | None, env: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Return the number of machines, and this one's index from 0.

    Args:
        total: As the user says; None: as the CI system says.
        index: Likewise.
        env: The environment.

    Raises:
        ShardError: The variables do not say so, or it is no such pair.
    """
    where = "--total and --index"
    if total is None and index is None:
        for total_name, index_name, first in _SYSTEMS:
            if env.get(total_name) and env.get(index_name):
                where = f"{total_name} and {index_name}"
                total, index = _number(env, total_name), _number(env, index_name) - first
                break
    if total is None or index is None:
        raise ShardError(
            "how many machines there are, and which one this is, is not known: give both --total N and --index I (from "
            "0); GitLab, Buildkite and CircleCI say it by themselves"
        )
    if total < 1 or not 0 <= index < total:
        raise ShardError(f"{where}: index {index} of {total}; the index is from 0 to the number of machines less 1")
    return total, index


def _number(env: Mapping[str, str], name: str) -> int:
    try:
        return int(env[name])
    except ValueError:
        raise ShardError(f"{name} is {env[name]!r}; it is a whole number") from None
