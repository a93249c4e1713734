"""How a test tells a mock what to answer: an attribute chain as a path, a constructor's arguments as facts.

`pool.acquire.return_value.__aenter__.return_value.fetchrow.return_value = row` is the fact that at the path
("acquire", "()", "with", "fetchrow") `row` is returned: "()" is a call's result, "with" what a context manager gives.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLED = "()"
ENTERED = "with"
MAKERS = {
    "Mock",
    "MagicMock",
    "AsyncMock",
    "NonCallableMock",
    "NonCallableMagicMock",
    "PropertyMock",
    "create_autospec",
    "mock_open",
}
_OF_MAKER = {"spec", "spec_set", "name", "wraps", "autospec", "unsafe", "new_callable", "instance"}
_IGNORED = {"__exit__", "__aexit__"}
_ENTERS = {"__enter__", "__aenter__"}
_INTERNALS = {
    "called", "call_count", "call_args", "call_args_list", "mock_calls", "method_calls", "await_count",
    "await_args", "await_args_list", "return_value", "side_effect", "reset_mock", "configure_mock",
    "mock_add_spec", "attach_mock",
}  # fmt: skip


class Kind(enum.Enum):
    """What a fact says of a path."""

    RETURNS = "returns"
    EFFECT = "side_effect"
    IS = "is"


@dataclass(frozen=True, slots=True)
class Fact:
    """What a test has told a mock.

    Attributes:
        path: Where in the mock.
        kind: What is said of it.
        value: The expression.
        line: Where.
    """

    path: tuple[str, ...]
    kind: Kind
    value: ast.expr
    line: int

    def below(self, prefix: tuple[str, ...]) -> Fact:
        """Return the same fact, of a mock that is a part of another one."""
        return replace(self, path=prefix + self.path)


def is_maker(node: ast.AST, imports: dict[str, str]) -> bool:
    """Return whether an expression makes a mock: `Mock()`, `mock.AsyncMock()`, `mocker.MagicMock()`."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Name):
        origin = imports.get(function.id, "")
        return origin.startswith(("unittest.mock.", "mock.")) and origin.rpartition(".")[2] in MAKERS
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name | ast.Attribute):
        base = ast.unparse(function.value)
        is_mock = base in ("mocker", "unittest.mock") or imports.get(base, "") in ("unittest.mock", "mock")
        return is_mock and function.attr in MAKERS
    return False


def chain(node: ast.expr) -> tuple[str, tuple[str, ...]] | None:
    """Return root and path of an attribute chain, the path as it is written; a root may be "self.db"."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and not node.args and not node.keywords:
            # `cursor().fetchone` is what `cursor.return_value.fetchone` is.
            names.append("return_value")
            node = node.func
        else:
            break
    if not isinstance(node, ast.Name):
        return None
    names.reverse()
    if node.id == "self" and names:
        return f"self.{names[0]}", tuple(names[1:])
    return node.id, tuple(names)


def normal(path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return a path with "()" and "with" for the words of mocks, None where it says nothing of a service."""
    found: list[str] = []
    for name in path:
        if name in _IGNORED:
            return None
        if name == "return_value":
            if found and found[-1] == ENTERED:
                continue
            found.append(CALLED)
        else:
            found.append(ENTERED if name in _ENTERS else name)
    return tuple(found)


def assigned(path: tuple[str, ...], value: ast.expr, line: int) -> Fact | None:
    """Return the fact that an assignment to an attribute of a mock states."""
    if not path:
        return None
    if path[-1] in ("return_value", "side_effect"):
        where = normal(path[:-1])
        kind = Kind.RETURNS if path[-1] == "return_value" else Kind.EFFECT
    else:
        where, kind = normal(path), Kind.IS
    return Fact(where, kind, value, line) if where is not None else None


def facts_of_maker(call: ast.Call, imports: dict[str, str]) -> Iterator[Fact]:
    """Yield what the arguments of a mock's constructor state, those of mocks within it included."""
    if ast.unparse(call.func).endswith("mock_open"):
        yield Fact((), Kind.IS, call, call.lineno)
        return
    for word in call.keywords:
        if word.arg is None:
            for key, value in _pairs(word.value):
                if fact := assigned(tuple(key.split(".")), value, call.lineno):
                    yield from opened(fact, imports)
        elif word.arg not in _OF_MAKER and (fact := assigned((word.arg,), word.value, call.lineno)):
            yield from opened(fact, imports)


def spec_of_maker(call: ast.Call, imports: dict[str, str]) -> str:
    """Return the full name of the class that a mock has the methods of, "" where none is given."""
    words = {word.arg: word.value for word in call.keywords}
    given = words.get("spec") or words.get("spec_set") or next(iter(call.args), None)
    return full_name(given, imports) if given is not None else ""


def opened(fact: Fact, imports: dict[str, str]) -> Iterator[Fact]:
    """Yield a fact, or those of the mock that is its value."""
    if not isinstance(fact.value, ast.Call) or not is_maker(fact.value, imports):
        yield fact
        return
    path = fact.path
    if fact.kind is Kind.RETURNS and path[-1:] != (ENTERED,):
        path = (*path, CALLED)
    for inner in facts_of_maker(fact.value, imports):
        yield inner.below(path)


def is_internal(name: str) -> bool:
    """Return whether an attribute is of the mock as a mock, and not of what it stands for."""
    return name in _INTERNALS or name.startswith("assert_")


def _pairs(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
