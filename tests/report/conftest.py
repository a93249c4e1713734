"""What the tests of the report share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.events import EventFile


@pytest.fixture
def events(tmp_path: Path) -> EventFile:
    """A build event file that has nothing but its beginning."""
    return EventFile(tmp_path)
