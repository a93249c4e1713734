"""The distributions for PyPI: a source archive and a wheel, the same bytes wherever and whenever they are built.

They are built from what git has of a commit, so that no file of a developer gets in, by the locked tools of
third_party/release. The source archive is built first, and the wheel from it, as a user without wheels would do.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import venv
from pathlib import Path

from release.commands import run
from release.errors import ReleaseError

_LOCK = "third_party/release/requirements.lock"


def build(root: Path, revision: str, output: Path, python: str) -> list[Path]:
    """Build a commit, check the result as PyPI would, and return the files.

    Args:
        root: The repository.
        revision: The commit.
        output: Where the files go; it must not have any yet.
        python: An interpreter with the locked tools.

    Raises:
        ReleaseError: A step failed.
    """
    if output.exists() and any(output.iterdir()):
        raise ReleaseError(f"{output} is not empty: what is built goes to a directory of its own")
    with tempfile.TemporaryDirectory(prefix="rules_realservices-release-") as scratch:
        source = Path(scratch, "source")
        source.mkdir()
        archive = Path(scratch, "source.tar")
        run("git", "-C", str(root), "archive", "--format=tar", f"--output={archive}", revision)
        run("tar", "-x", "-C", str(source), "-f", str(archive))
        # Not the caller's date: hatchling has one of its own for everything.
        environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
        run(python, "-m", "build", "--no-isolation", f"--outdir={output}", str(source), environment=environment)
    files = sorted(output.iterdir())
    run(python, "-m", "twine", "check", "--strict", *map(str, files))
    return files


def tools(root: Path, cache: Path) -> str:
    """Return the interpreter of a virtual environment with the locked tools, made on first use."""
    lock = root / _LOCK
    home = cache / ("release-" + hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16])
    python = str(home / "bin" / "python")
    if not (home / "ready").exists():
        venv.create(home, clear=True, symlinks=True, with_pip=True)
        run(python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(lock))
        (home / "ready").touch()
    return python
