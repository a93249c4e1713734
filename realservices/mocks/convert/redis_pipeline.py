"""Pipelines of Redis: the commands that the code puts into one, and the answers of its `execute`, each with its own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.mock_checks import shown
from realservices.mocks.convert.redis_commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.convert.mock_paths import Fact
    from realservices.mocks.convert.service_calls import ServiceCall

STEPS = {"pipeline", "execute", "multi", "watch", "reset", "unwatch"}
_HAND = "set the keys that it reads by hand"


def executions(calls: Sequence[ServiceCall]) -> list[ServiceCall]:
    """Return the calls by which the code sends its pipelines."""
    names = {call.method for call in calls}
    return [call for call in calls if call.method == "execute" and call.statement is None and "pipeline" in names]


def pipeline_commands(calls: Sequence[ServiceCall]) -> list[ServiceCall]:
    """Return the commands that the code puts into its pipeline, in their order."""
    sent = executions(calls)
    first = next((at for at, call in enumerate(calls) if call.method == "pipeline"), len(calls))
    return [
        call
        for call in calls[first:]
        if call.method in COMMANDS and call.method not in STEPS and any(_is_of(call, each) for each in sent)
    ]


def pipeline_answers(fact: Fact, calls: Sequence[ServiceCall]) -> Iterator[tuple[ServiceCall, ast.expr]]:
    """Yield the commands of a pipeline with their answers.

    Args:
        fact: What `execute` answers.
        calls: What the code does.

    Raises:
        Unconvertible: It cannot be told which answer is which command's.
    """
    commands = pipeline_commands(calls)
    if not isinstance(fact.value, ast.List | ast.Tuple):
        raise Unconvertible(fact.line, shown(fact.value), "the answers of a pipeline are not written out", _HAND)
    if len(executions(calls)) != 1 or len(commands) != len(fact.value.elts):
        why = f"the pipeline answers {len(fact.value.elts)} commands, and {len(commands)} were found in the code"
        raise Unconvertible(fact.line, "execute", why, _HAND)
    yield from zip(commands, fact.value.elts, strict=True)


def _is_of(command: ServiceCall, sent: ServiceCall) -> bool:
    """Return whether a command goes into the pipeline that is sent: by the same name, or in one chain."""
    is_chained = "pipeline(" in command.receiver and sent.receiver.startswith(command.receiver)
    return command.receiver == sent.receiver or is_chained
