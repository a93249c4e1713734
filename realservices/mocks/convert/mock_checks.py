"""Assertions on mocks, as calls of their methods: `assert_called_once_with(…)` and all the others."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import UNKNOWN
from realservices.mocks.convert.test_facts import Check

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks_of(word: str, call: ast.Call, path: tuple[str, ...]) -> Iterator[Check]:
    """Yield what an assertion asks of the mock at a path.

    Raises:
        Unconvertible: It is one of another kind.
    """
    line = call.lineno
    plain = word.replace("awaited", "called").replace("await", "call")
    if plain == "assert_not_called":
        yield Check(path=path, word="not called", times=0, arguments=None, keywords={}, line=line)
    elif plain in ("assert_called", "assert_called_once"):
        times = 1 if plain.endswith("once") else None
        yield Check(path=path, word="called", times=times, arguments=None, keywords={}, line=line)
    elif plain in ("assert_called_with", "assert_called_once_with", "assert_any_call"):
        times = 1 if "once" in plain else None
        yield _called_with(call, path, times, line)
    elif plain == "assert_has_calls" and call.args and isinstance(call.args[0], ast.List):
        for each in call.args[0].elts:
            if isinstance(each, ast.Call):
                yield _called_with(each, path, None, line)
    else:
        raise Unconvertible(line, shown(call), "an assertion of its own kind", "write what must be there instead")


def _called_with(call: ast.Call, path: tuple[str, ...], times: int | None, line: int) -> Check:
    if any(isinstance(each, ast.Starred) for each in call.args) or any(word.arg is None for word in call.keywords):
        raise Unconvertible(line, shown(call), "arguments in a variable", "write what must be there instead")
    keywords = {word.arg: _without_any(word.value) for word in call.keywords if word.arg}
    arguments = tuple(map(_without_any, call.args))
    return Check(path=path, word="called", times=times, arguments=arguments, keywords=keywords, line=line)


def _without_any(node: ast.expr) -> ast.expr:
    """Return an argument of an assertion, `ANY` as something that cannot be told."""
    return ast.Name(UNKNOWN) if ast.unparse(node).rpartition(".")[2] == "ANY" else node


def written(node: ast.Attribute) -> list[str]:
    """Return the names of an attribute chain behind its root."""
    found = mock_paths.chain(node)
    return list(found[1]) if found else []


def ends_in_internal(path: tuple[str, ...]) -> bool:
    """Return whether a chain ends in what a mock remembers."""
    return bool(path) and path[-1] in ("called", "call_count", "call_args", "call_args_list", "mock_calls")


def shown(node: ast.AST) -> str:
    """Return code as it is quoted in messages: not too long."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "…"
