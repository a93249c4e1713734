"""Fixtures of the launcher's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.template import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with db.tar and db.json, see `tests.launcher.template`."""
    return make_template(tmp_path_factory.mktemp("template"))
