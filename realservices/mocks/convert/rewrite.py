"""Put what was planned into a file by LibCST: everything that no plan touches stays as it is, to the last space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from realservices.mocks.convert.rewriter import changed

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from realservices.mocks.convert.test_facts import FunctionEdits

_POOL = '''
@pytest.fixture
async def database_pool(cloned_database):
    """A pool of real connections to a database of the test's own."""
    async with asyncpg.create_pool(cloned_database.url, min_size=1) as pool:
        yield pool
'''


def rewrite(
    text: str,
    edits: Mapping[int, FunctionEdits],
    gone: set[int],
    *,
    pools: bool,
    cases: Set[str] = frozenset(),
    overrides: Mapping[str, str] | None = None,
    copies: Mapping[int, str] | None = None,
) -> str:
    """Return a file's text with functions changed.

    Args:
        text: The file.
        edits: What is done, by the line of the function.
        gone: Lines of functions that are removed.
        pools: Whether the fixture `database_pool` is to be there.
        cases: Names of classes of unittest whose tests ask for fixtures by name.
        copies: Names by the line of fixtures that stay as they are, and get a changed copy.
        overrides: Fixtures that the file gets for those of a conftest.py: the name, and the fixture that it gives.
    """
    module = changed(text, edits, gone, cases, copies or {})
    added = [_POOL] if pools and "def database_pool(" not in module.code else []
    added += [_OVERRIDE.format(name=name, given=given) for name, given in (overrides or {}).items()]
    for each in added:
        module = _with_fixture(module, each)
    return module.code


_OVERRIDE = '''
@pytest.fixture
def {name}({given}):
    """The real one, for fixtures of conftest.py."""
    return {given}
'''


def _with_fixture(module: cst.Module, text: str) -> cst.Module:
    fixture = cst.parse_module(text).body[0]
    body = list(module.body)
    at = next((place for place, each in enumerate(body) if isinstance(each, cst.FunctionDef | cst.ClassDef)), len(body))
    lines = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
    return module.with_changes(body=[*body[:at], fixture.with_changes(leading_lines=lines), *body[at:]])
