from __future__ import annotations

import pytest

from realservices.ci_shard.errors import ShardError
from realservices.ci_shard.machines import this_machine


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"CI_NODE_TOTAL": "5", "CI_NODE_INDEX": "1"}, (5, 0)),
        ({"BUILDKITE_PARALLEL_JOB_COUNT": "3", "BUILDKITE_PARALLEL_JOB": "2"}, (3, 2)),
        ({"CIRCLE_NODE_TOTAL": "2", "CIRCLE_NODE_INDEX": "0"}, (2, 0)),
    ],
)
def test_what_ci_systems_say(env: dict[str, str], expected: tuple[int, int]) -> None:
    assert this_machine(None, None, env) == expected
    assert this_machine(7, 6, env) == (7, 6)


@pytest.mark.parametrize(
    ("total", "index", "env", "message"),
    [
        (None, None, {}, "give both --total N and --index I"),
        (4, None, {}, "give both --total N and --index I"),
        (4, 4, {}, "--total and --index: index 4 of 4"),
        (0, 0, {}, "index 0 of 0"),
        (None, None, {"CI_NODE_TOTAL": "2", "CI_NODE_INDEX": "3"}, "CI_NODE_TOTAL and CI_NODE_INDEX: index 2 of 2"),
        (None, None, {"CIRCLE_NODE_TOTAL": "x", "CIRCLE_NODE_INDEX": "0"}, "CIRCLE_NODE_TOTAL is 'x'"),
    ],
)
def test_what_is_no_machine(total: int | None, index: int | None, env: dict[str, str], message: str) -> None:
    with pytest.raises(ShardError, match=message):
        this_machine(total, index, env)
