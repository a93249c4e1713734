"""A project in which `up` runs, with a registry of its own: what a killed one leaves there is nobody else's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.development import Development
from tests.dev.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def development(tmp_path: Path) -> Development:
    """An empty project."""
    directory = tmp_path / "project"
    directory.mkdir()
    os.environ.setdefault("TEST_TMPDIR", str(tmp_path))
    return Development(Project(directory), tmp_path)
