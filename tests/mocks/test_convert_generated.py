"""Random test files: none crashes the conversion, what is converted keeps its tests, twice is as once.

FUZZ_MUTATIONS says how many, FUZZ_SEED where to begin.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

from realservices.mocks.convert.each_test import each_test
from realservices.mocks.convert.file_conversion import FileConverter
from realservices.mocks.scan import Project
from tests.mocks.generated_suites import make_suite
from tests.mocks.shop_schema import shop_schema

_COUNT = int(os.environ.get("FUZZ_MUTATIONS") or 30)
_FIRST = int(os.environ.get("FUZZ_SEED") or 0)
_SHOP = Path(__file__).with_name("shop")


def test_generated_files_convert() -> None:
    converter = FileConverter(Project(_SHOP), shop_schema())
    path = _SHOP / "tests" / "test_generated.py"
    converted = left = 0
    for seed in range(_FIRST, _FIRST + _COUNT):
        text = make_suite(seed)
        result = converter.convert(path, text)
        assert result.error == "", f"FUZZ_SEED={seed} FUZZ_MUTATIONS=1: {result.error}"
        _check(text, result.after, seed)
        again = converter.convert(path, result.after)
        assert again.error == "", f"FUZZ_SEED={seed}, the second time: {again.error}"
        assert again.after == result.after, f"FUZZ_SEED={seed}: converted once more, it changes"
        converted += len(result.converted)
        left += len(result.left)
    assert converted > left > 0 or _COUNT < 20


def _check(before: str, after: str, seed: int) -> None:
    old, new = ([test.name for test in each_test(ast.parse(text))] for text in (before, after))
    assert old == new, f"FUZZ_SEED={seed}: the tests are others"
