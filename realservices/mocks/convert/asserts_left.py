"""Whether a test still asserts something when the assertions on its mocks are gone."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from realservices.mocks.convert.test_plan import TestPlan

_ASSERTING = ("assert", "raises", "warns", "expect", "verify", "check", "fail")
_PLACED = ast.stmt | ast.expr


def check_asserts(plan: TestPlan) -> None:
    """Check that a test which loses assertions has others.

    Raises:
        Unconvertible: It would pass whatever the code did.
    """
    if not plan.gone or any(plan.checked.values()):
        return
    test = plan.reading.test
    handled = {*plan.reading.edit(test).removed, *plan.checked, *plan.gone}
    if any(_asserts(node) and node.lineno not in handled for node in ast.walk(test) if isinstance(node, _PLACED)):
        return
    line = min(plan.gone)
    why = f"{plan.gone[line]}, and the test would assert nothing any more"
    raise Unconvertible(line, test.name, why, "assert what must be there afterwards")


def _asserts(node: ast.stmt | ast.expr) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2].lstrip("_").lower()
        return name.startswith(_ASSERTING)
    return isinstance(node, ast.Assert)
