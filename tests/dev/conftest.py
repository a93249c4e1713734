"""Scripts with a `DevLauncher`, each in a project and a process of its own, without Bazel or a launcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dev.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)
