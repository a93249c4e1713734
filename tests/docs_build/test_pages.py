"""What the makers of pages refuse."""

from __future__ import annotations

import pytest

from docs_build import fixtures_page
from docs_build.configuration_page import configuration_page


def test_a_key_that_has_no_meaning_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"clickhouse: no rule has the key 'database': say in docs_build\.configuration_page"
    ):
        configuration_page("a page without any rule")


def test_a_plugin_without_fixtures_is_shown_with_what_pytest_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        print("no plugin")

    monkeypatch.setattr("docs_build.fixtures_page.pytest.main", run)
    with pytest.raises(ValueError, match="pytest has no fixture of ours:\nno plugin"):
        fixtures_page.fixtures_page()
