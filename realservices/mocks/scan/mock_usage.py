"""What a file does with a mock, by the names that reach it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.scan.draft import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.scan.draft import Draft, Fact, Notes
    from realservices.mocks.scan.scopes import Scope


def facts_of(draft: Draft, notes: Notes) -> list[tuple[str, Fact, tuple[str, ...]]]:
    """Return name, fact and the attributes behind the name, for all that is done with a mock."""
    if draft.facts is None:
        draft.facts = list(_facts(draft, notes))
    return draft.facts


def _facts(draft: Draft, notes: Notes) -> Iterator[tuple[str, Fact, tuple[str, ...]]]:
    for name in draft.names if len(draft.names) < 2 else dict.fromkeys(draft.names):
        parts = name.split(".")
        count = 2 if parts[0] == "self" else 1
        root, behind = ".".join(parts[:count]), tuple(parts[count:])
        for fact in notes.facts.get(root, ()):
            if fact.attributes[: len(behind)] == behind and _is_seen(draft, fact.scope, root):
                yield name, fact, fact.attributes[len(behind) :]
    if draft.fixture and _is_returned(draft, notes):
        for fact in notes.facts.get(draft.fixture, ()):
            if draft.fixture in fact.scope.bound or draft.fixture in _parameters(fact.scope):
                yield draft.fixture, fact, fact.attributes


def _is_seen(draft: Draft, scope: Scope, root: str) -> bool:
    if root.startswith("self."):
        return scope.owner() is draft.scope.owner()
    at: Scope | None = scope
    while at:
        if at is draft.scope:
            return True
        at = at.parent
    return False


def _parameters(scope: Scope) -> set[str]:
    at: Scope | None = scope
    names: set[str] = set()
    while at:
        names |= set(at.bound) if at.kind == "function" else set()
        at = at.parent
    return names


def _is_returned(draft: Draft, notes: Notes) -> bool:
    return draft.fixture in draft.hints or not notes.returned.get(draft.fixture, set()).isdisjoint(draft.names)


def side_effects(draft: Draft, notes: Notes) -> Iterator[ast.expr]:
    """Yield what a mock does when it is called, where that is said."""
    if draft.call:
        yield from _in_call(draft.call)
    for _, fact, attributes in facts_of(draft, notes):
        if fact.value is not None and attributes and attributes[-1] == "side_effect":
            yield fact.value


def _in_call(call: ast.Call) -> Iterator[ast.expr]:
    for value in call.args:
        if isinstance(value, ast.Call):
            yield from _in_call(value)
    for one in call.keywords:
        if one.arg and one.arg.endswith("side_effect"):
            yield one.value
        elif isinstance(one.value, ast.Call):
            yield from _in_call(one.value)


def texts(call: ast.Call) -> Iterator[str]:
    """Yield the literals among a call's arguments, also within `text("…")` and `call("…")`."""
    for one in (*call.args, *(named.value for named in call.keywords)):
        if isinstance(one, ast.Call):
            yield from texts(one)
        elif isinstance(one, ast.List | ast.Tuple):
            for inner in one.elts:
                if isinstance(inner, ast.Call):
                    yield from texts(inner)
        elif text := literal(one):
            yield text
