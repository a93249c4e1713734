"""The site: built strictly, read from the disk in a browser, light and dark, narrow and wide, without the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs_build.main import main
from docs_build.site_hooks import navigation
from tests.chromium import EXECUTABLE, MISSING, Chromium
from tests.e2e.page_checks import weak_texts
from tests.scratch import ROOT

# With tables, with long lines of code, generated.
_LOOKED_AT = ("index", "command_line", "environment_variables", "pytest", "reference/rules", "reference/fixtures")

needs_browser = pytest.mark.skipif(not EXECUTABLE, reason=MISSING)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    assert main([str(directory)]) == 0
    return directory


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def test_the_navigation_has_what_the_index_has() -> None:
    index = "## Tutorials: by doing\n\n- [A](a.md): x\n\n## How to …\n\nFirst:\n\n- [b](b.md), and [c](d/c.md)\n- [no](../x.md)\n"
    tutorials = {"Tutorials": [{"A": "a.md"}]}
    how_to = {"How to": [{"First": [{"B": "b.md"}, {"C": "d/c.md"}]}]}
    assert navigation(index) == [{"Documentation": "index.md"}, tutorials, how_to]


def test_each_page_is_a_page(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert pages | {Path("404.html")} == {path.relative_to(site) for path in site.rglob("*.html")}


@needs_browser
def test_no_page_is_wider_than_the_window(site: Path, browser: Chromium) -> None:
    browser.look(width=400)
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # A server's; its addresses begin at the server's root.
            continue
        browser.open(page)
        assert browser.run("document.documentElement.scrollWidth") == 400, page
        assert browser.problems == [], page
        assert [address for address in browser.requests if not address.startswith(("file:", "data:"))] == [], page


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_texts_can_be_read(site: Path, browser: Chromium, scheme: str, width: int) -> None:
    browser.look(scheme=scheme, width=width)
    for page in _LOOKED_AT:
        browser.open(site / f"{page}.html")
        assert weak_texts(browser, "article") == [], page


@needs_browser
def test_the_index_leads_to_every_page(site: Path, browser: Chromium) -> None:
    browser.open(site / "index.html")
    links = browser.run("[...document.querySelectorAll('article a:not(.headerlink)')].map((one) => one.href)")
    assert len(links) > 30
    assert [link for link in links if not Path(link.removeprefix("file://")).is_file()] == []
    browser.run("document.querySelector('article a[href^=first_test]').click()")
    browser.wait_for_load()
    assert "first test" in browser.run("document.querySelector('h1').textContent")


@needs_browser
def test_the_search_finds_a_page(site: Path, browser: Chromium) -> None:
    browser.look()
    browser.open(site / "index.html")
    found = browser.run("""new Promise((done) => {
        const input = document.querySelector('.md-search__input');
        input.focus();
        input.value = 'readiness';
        input.dispatchEvent(new KeyboardEvent('keyup', { bubbles: true }));
        const looked = () => {
            const links = [...document.querySelectorAll('.md-search-result__link')];
            if (links.length) done(links.map((one) => one.getAttribute('href'))); else setTimeout(looked, 50);
        };
        looked();
    })""")
    assert any("services.html" in os.path.basename(link) for link in found)
