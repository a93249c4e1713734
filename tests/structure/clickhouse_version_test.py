"""The ClickHouse that documentation and messages name is the one that is pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realservices.kinds.clickhouse.engine import INSTALL, OLDEST, PACKAGE, VERSION, complaint_of

_TOP = Path(__file__).parents[2]
_PAGES = sorted(path.name for path in (_TOP / "docs").glob("*.md"))


def test_messages_name_the_pinned_version() -> None:
    pinned = (_TOP / "third_party" / "clickhouse" / "versions.bzl").read_text("utf-8")
    assert f'package = "{PACKAGE}"' in pinned
    assert f'version = "{VERSION}"' in pinned
    assert complaint_of("libchdb.so", VERSION) == ""


@pytest.mark.parametrize("page", _PAGES)
def test_pages_name_the_pinned_version(page: str) -> None:
    text = (_TOP / "docs" / page).read_text("utf-8")
    assert all(text[found.start() :].startswith(INSTALL) for found in re.finditer(r"npm pack\b", text))
    for found in re.findall(r"one before (\d+\.\d+) is refused", text):
        assert found == ".".join(map(str, OLDEST))
