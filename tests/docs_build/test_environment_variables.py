"""Each environment variable that the package names stands in docs/environment_variables.md, or on the page of its kind."""

from __future__ import annotations

import ast
import re

import pytest

from tests.scratch import ROOT

_VARIABLE = re.compile(
    r"\b(?:REALSERVICES_[A-Z][A-Z_]*[A-Z]|TEST_(?:POSTGRES|REDIS|CLICKHOUSE|MARIADB|HTTP|WEBSOCKET|LLM)_[A-Z_]+"
    r"|USE_REAL_SERVICES|DYNAMIC_PORTS|TEST_ISOLATION)\b"
)
# What processes of ours tell each other.
_INTERNAL = {
    "REALSERVICES_CONCURRENCY",
    "REALSERVICES_DURATIONS",
    "REALSERVICES_EXPORTED",
    "REALSERVICES_LEVELS",
    "REALSERVICES_MANIFEST",
    "REALSERVICES_PYTHON",
    "REALSERVICES_SESSION",
}


def _named() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((ROOT / "realservices").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= dict.fromkeys(_VARIABLE.findall(node.value), path.relative_to(ROOT).as_posix())
    return found


_NAMED = _named()


def test_the_internal_ones_are_there() -> None:
    assert _NAMED.keys() >= _INTERNAL


@pytest.mark.parametrize("variable", sorted(_NAMED.keys() - _INTERNAL))
def test_the_page_has_it(variable: str) -> None:
    kind = variable.partition("_")[2].partition("_")[0].lower()
    pages = [ROOT / "docs" / name for name in ("environment_variables.md", f"{kind}.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    assert variable in text, f"{_NAMED[variable]} names {variable}"
