"""The reference of rules and module extension says what the .bzl files say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docs_build.rules_pages import EXTRACTS, starlark_pages


@pytest.mark.parametrize("name", ["rules", "extension"])
def test_the_page_is_what_it_would_be_now(name: str) -> None:
    pages = starlark_pages({each: _read(each) for each in EXTRACTS})
    assert pages[name] == _read(f"page_{name}"), f"docs/reference/{name}.md is stale: run `tools/docs reference`"


def _read(what: str) -> str:
    return Path(os.environ[what.upper()]).read_text(encoding="utf-8")
