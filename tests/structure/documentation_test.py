"""The documentation: each page stands in the index, and each link leads somewhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.scratch import ROOT

_DOCS = ROOT / "docs"
_PAGES = sorted([*_DOCS.rglob("*.md"), *ROOT.glob("*.md")])
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
_ANCHOR = re.compile(r'<a id="([^"]+)">')


def _anchors(page: Path) -> set[str]:
    """Return what links to a page's headings end with, as GitHub makes it."""
    found: Counter[str] = Counter()
    text = _FENCE.sub("", page.read_text("utf-8"))
    anchors = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(text):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return anchors


def _links(page: Path) -> list[str]:
    return [link for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))) if "://" not in link]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name}: {link}; there are {', '.join(sorted(_anchors(target)))}"


def test_each_page_stands_in_the_index_once() -> None:
    # Parts of a page may be listed, too: what is looked for, and no title says.
    listed = Counter(link for link in _links(_DOCS / "index.md") if "#" not in link)
    listed["first_test.md"] -= 1  # Also where the index begins.
    del listed["../CONTRIBUTING.md"]
    names = [page.relative_to(_DOCS).as_posix() for page in _DOCS.rglob("*.md")]
    assert listed == Counter(name for name in names if name != "index.md")
