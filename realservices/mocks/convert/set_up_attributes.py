"""Attributes that a `setUp` or `setup_method` makes: which are made of a mock, and which of them a test reads."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.test_facts import Mock, Reading


def made_of(fixture: Fixture, names: Set[str]) -> set[str]:
    """Return some attributes and names of a set-up, and the attributes that are made of them."""
    found = {name.removeprefix("self.") for name in names}
    for node in (each for each in ast.walk(fixture.node) if isinstance(each, ast.Assign)):
        read = {each.attr for each in ast.walk(node.value) if isinstance(each, ast.Attribute)}
        read |= {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
        if read & found:
            found |= {ast.unparse(each).removeprefix("self.") for each in node.targets}
    return found


def reads(reading: Reading, names: Set[str], fixture: Fixture) -> bool:
    """Return whether a test reads one of some attributes, itself or by a method of its class."""
    owner = fixture.module.definitions.get(fixture.owner)
    methods = {getattr(each, "name", "") for each in getattr(owner, "body", ())}
    nodes = (each for each in ast.walk(reading.test) if isinstance(each, ast.Attribute))
    return any(ast.unparse(node.value) == "self" and node.attr in names | methods for node in nodes)


def is_read(mock: Mock, reading: Reading) -> bool:
    """Return whether a test has to do with a mock: one that its set-up makes for other tests, it has not."""
    for fixture in reading.fixtures:
        first, last = fixture.node.lineno, fixture.node.end_lineno or fixture.node.lineno
        is_here = str(fixture.module.path) == mock.path and first <= mock.line <= last
        if is_here and fixture.is_set_up and not mock.target and mock.name.startswith("self."):
            return reads(reading, made_of(fixture, {mock.name}), fixture)
    return True
