"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scratch import Index, Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace, thus one Bazel server, for all tests."""
    scratch = Workspace(tmp_path_factory.mktemp("scratch"))
    scratch.write("BUILD.bazel", "")
    yield scratch
    scratch.end()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An empty index."""
    directory = tmp_path / "index"
    directory.mkdir()
    return Index(directory)
