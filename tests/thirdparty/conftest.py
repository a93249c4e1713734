"""Fixtures of these tests, and the way to the fetch scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The fetch scripts import each other as siblings, as they do when a repository rule runs them; so does `scratch` here.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "third_party" / "fetch")]

from scratch import Index, Workspace  # noqa: E402 (needs the path above)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace, thus one Bazel server, for all tests."""
    scratch = Workspace(tmp_path_factory.mktemp("scratch"))
    scratch.write("BUILD.bazel", "")
    yield scratch
    scratch.bazel("shutdown")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An empty index."""
    directory = tmp_path / "index"
    directory.mkdir()
    return Index(directory)
