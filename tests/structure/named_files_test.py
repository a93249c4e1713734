"""Files that comments, docstrings and pages name are there: what was moved or removed is not referred to any more."""

from __future__ import annotations

import re
from pathlib import Path

from tests.scratch import ROOT

_PACKAGE = ROOT / "realservices"
_FOLDERS = "|".join(sorted(path.name for path in _PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"))
_NAMED = re.compile(rf"(?<![\w/.])(?:realservices/)?((?:{_FOLDERS})/[a-z_/]+\.py)\b")
_READ = ("realservices", "tests", "docs", "bench")
# Without a folder: one that lies beside, below or above. Not in quotes: these are names of others' files.
_BARE = re.compile(r"(?<![\w/.{}*\"'-])([a-z_]+\.py)\b(?![\"'])")
# Of projects, of pytest, and a library.
_OF_OTHERS = re.compile(r"(?:conftest|manage|setup|coverage|redis|(?:mocked_)?test_\w+|\w+_test|\w+_mocked)\.py")


def _is_there(name: str, path: Path) -> bool:
    above = [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    return any((folder / name).is_file() for folder in (*above, _PACKAGE))


def test_named_files_are_there() -> None:
    paths = [path for folder in _READ for ending in ("*.py", "*.md") for path in (ROOT / folder).rglob(ending)]
    paths += [ROOT / "CONTRIBUTING.md", ROOT / "README.md"]
    assert len(paths) > 500
    lacking = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in _NAMED.findall(path.read_text("utf-8"))
        if not _is_there(name, path)
    ]
    assert lacking == []


def test_files_that_modules_name_without_a_folder_lie_near() -> None:
    lacking = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _PACKAGE.rglob("*.py")
        for name in _BARE.findall(path.read_text("utf-8"))
        if not _OF_OTHERS.fullmatch(name) and not _is_there(name, path) and not any(path.parent.rglob(name))
    ]
    assert lacking == []
