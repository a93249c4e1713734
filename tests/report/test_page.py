"""The page as a file: whole, alone, and safe whatever the tests wrote. How it looks is tested in tests/e2e."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from tests.report.events import LABEL, EventFile, junit


class _Page(HTMLParser):
    """Takes a page apart as a browser does: what is inside of a script element ends at the first ``</script``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self._is_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._is_script = tag == "script"
        for name, value in attrs:
            assert name not in ("src", "srcset", "data", "action"), f"{tag} {name}={value}: the page is to stand alone"

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts.append(data)


_NASTY = "</script><script>alert(1)</script><!--<script> ]]> & \u2028\u2029 @@DATA@@ \ud800 \x00 \"'\\"


@pytest.fixture
def page(events: EventFile) -> str:
    text = _NASTY.encode("utf-8", errors="replace").decode()
    (events.directory / "test.log").write_text(text, encoding="utf-8")
    events.result("FAILED", uris={"test.log": (events.directory / "test.log").as_uri()})
    events.result("REMOTE_FAILURE", label="//shop:lost_test", statusDetails=_NASTY)
    return events.report().to_html()


def test_what_tests_wrote_comes_back_as_it_was_and_ends_nothing(page: str) -> None:
    data, code = _Page(page).scripts
    assert [character for character in "<>&\u2028\u2029" if character in data] == []
    targets = json.loads(data)["targets"]
    assert targets[0]["attempts"][0]["logs"][0]["text"] == _NASTY.replace("\ud800", "?")
    assert targets[1]["why"] == _NASTY
    assert "alert(1)" not in code


def test_what_failed_is_told_without_a_script_as_text(page: str) -> None:
    assert _Page(page).tags.count("script") == 2
    assert f"<li>{LABEL}: failed<pre></pre></li><li>//shop:lost_test: machine failed<pre>&lt;/script&gt;" in page


def test_nothing_is_left_to_be_filled_in(events: EventFile) -> None:
    events.result("PASSED", {"test.xml": junit()})
    assert re.findall("@@[A-Z]+@@", events.report().to_html()) == []


def test_the_page_is_small(events: EventFile) -> None:
    assert len(events.report().to_html()) < 45_000
