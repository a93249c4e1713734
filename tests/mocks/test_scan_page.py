"""The page of a scan, in a browser: readable in light and in dark, narrow and wide, without a script or a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import EXECUTABLE, MISSING, Chromium
from tests.e2e import page_checks
from tests.mocks.command import migrate

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason=MISSING)


@pytest.fixture
def page(shop: Path) -> Path:
    lines = []
    for month, left in enumerate((40, 30, 31, 12), 1):
        counts = {"leaving": left, "staying": month, "by_service": {"redis": left}}
        lines.append(
            json.dumps({"time": f"2020-{month:02}-01T00:00:00+00:00", "commit": "c0ffee" * 6, "counts": counts})
        )
    (shop / "history.jsonl").write_text("\n".join(lines) + "\n")
    (shop / "tests" / "test_<b>&bad.py").write_text("def test_it(:\n")
    done = migrate(shop, "scan", "--history", "history.jsonl", "--html", "page.html")
    assert done.returncode == 1, done.stderr
    return shop / "page.html"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path / "profile") as chromium:
        yield chromium


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_readable(page: Path, browser: Chromium, scheme: str, width: int) -> None:
    browser.look(scheme=scheme, width=width)
    browser.open(page)
    assert browser.problems == []
    assert browser.requests == [page.as_uri()]
    page_checks.open_everything(browser)
    assert page_checks.weak_texts(browser) == []
    assert page_checks.unnamed(browser) == []
    assert page_checks.skipped_headings(browser) == []
    assert browser.run("document.documentElement.scrollWidth") == width


def test_the_page_tells_what_was_found(page: Path, browser: Chromium) -> None:
    browser.open(page)
    text = browser.run("document.body.textContent")
    assert "shop: 2 mocks to be replaced" in text
    assert "From 40 mocks to be replaced on 2020-01-01 to 2 on " in text
    assert "tests/test_<b>&bad.py: line 1: invalid syntax" in text
    assert "Line 4: unittest.mock.patch of app.users.redis: redis app.users.redis is redis.Redis" in text
    assert browser.run("document.querySelectorAll('svg circle').length") == 5


def test_a_first_scan_has_no_line_yet(shop: Path, browser: Chromium) -> None:
    assert migrate(shop, "scan", "--html", "page.html").returncode == 0
    browser.open(shop / "page.html")
    assert browser.run("document.querySelector('svg')") is None
    assert "2 mocks are left" in browser.run("document.body.textContent")
