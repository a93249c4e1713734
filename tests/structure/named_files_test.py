"""Files that comments, docstrings and pages name are there: what was moved or removed is not referred to any more."""

from __future__ import annotations

import re
from pathlib import Path

from tests.scratch import ROOT

_PACKAGE = ROOT / "realservices"
_FOLDERS = "|".join(sorted(path.name for path in _PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"))
_NAMED = re.compile(rf"(?<![\w/.])(?:realservices/)?((?:{_FOLDERS})/[a-z_/]+\.py)\b")
_READ = ("realservices", "tests", "docs", "bench")


def _is_there(name: str, path: Path) -> bool:
    above = [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    return any((folder / name).is_file() for folder in (*above, _PACKAGE))


def test_named_files_are_there() -> None:
    paths = [path for folder in _READ for ending in ("*.py", "*.md") for path in (ROOT / folder).rglob(ending)]
    assert len(paths) > 500
    lacking = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in _NAMED.findall(path.read_text("utf-8"))
        if not _is_there(name, path)
    ]
    assert lacking == []
