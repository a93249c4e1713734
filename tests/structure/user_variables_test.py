"""The variables by which a user changes how the package works: each name stands once in the code."""

from __future__ import annotations

import ast
import re
from collections import Counter

from realservices.contract.user_variables import USER_VARIABLES
from tests.scratch import ROOT

_NAME = re.compile(r"REALSERVICES_[A-Z_]*[A-Z]")


def test_each_name_stands_once_in_the_code() -> None:
    found = Counter(
        node.value
        for path in (ROOT / "realservices").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value)
    )
    assert found.keys() >= set(USER_VARIABLES)
    assert {name for name, count in found.items() if count > 1} == set()
