"""The checklist of a service: of a directory of the project that has tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.checklist.item import Item, State, item
from realservices.mocks.counts import leaving
from realservices.mocks.scan.files import is_test_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from realservices.mocks.checklist.test_results import Results
    from realservices.mocks.scan_model import TestFile

_TEST_FOLDERS = frozenset({"test", "tests", "testing", "unit", "integration", "t"})
_PACKAGE = re.compile(r"rules[-_.]realservices", re.IGNORECASE)
_DECLARED = re.compile(
    r"\[(?:tool\.realservices\.)?services|(?:postgres|redis|clickhouse)_service\(|real_service_test\("
)
_WORDS = re.compile(r"real service|isolated_(?:database|redis|clickhouse)|rules_realservices", re.IGNORECASE)
_READ_AT_MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Service:
    """A directory with tests.

    Attributes:
        name: Its path in the project, "." for the project itself.
        files: Its test files.
        items: Its checklist.
    """

    name: str
    files: Sequence[TestFile]
    items: Sequence[Item]


def services(root: Path, files: Iterable[TestFile], local: Results, remote: Results) -> list[Service]:
    """Return the services of a project, with their checklists."""
    grouped: dict[str, list[TestFile]] = {}
    for file in files:
        grouped.setdefault(_service_of(file.path), []).append(file)
    return [
        Service(name=name, files=group, items=_items(root, name, group, local, remote))
        for name, group in sorted(grouped.items())
    ]


def _service_of(path: Path) -> str:
    """Return the directory that a test file speaks for: what lies before the first folder of tests."""
    parts = path.parts[:-1]
    for number, part in enumerate(parts):
        if part in _TEST_FOLDERS:
            return "/".join(parts[:number]) or "."
    return "/".join(parts) or "."


def _items(root: Path, name: str, files: Sequence[TestFile], local: Results, remote: Results) -> list[Item]:
    folder = root / name
    texts = Texts(root, folder)
    left = [file for file in files if leaving(file)]
    tested = [file for file in files if file.tests and is_test_module(file.path)]
    return [
        item("conftest.py has no mocks, and the real fixtures are there", texts.has_package and not _mocked(left),
             "its conftest.py makes mocks" if _mocked(left) else "rules-realservices is not among its requirements"),
        item("Services are declared", bool(texts.declared), "declare them in [tool.realservices.services] or in a "
             "BUILD file; `python -m realservices init` proposes them", f"in {texts.declared}"),
        item("Requirements name rules-realservices", texts.has_package, "add it to pyproject.toml"),
        item("The migration is documented", bool(texts.documented), "no .md file here speaks of real services",
             f"in {texts.documented}"),
        _suite_runs(tested, len(left), local),
        _measured(tested, remote),
    ]  # fmt: skip


def _mocked(files: Sequence[TestFile]) -> bool:
    return any(file.path.name == "conftest.py" for file in files)


def _suite_runs(files: Sequence[TestFile], left: int, local: Results) -> Item:
    what = "The whole suite passes on real services"
    if left:
        return Item(what=what, state=State.OPEN, detail=f"{left} files still have mocks")
    if not local.source:
        return Item(what=what, state=State.UNKNOWN, detail="no result is known; run pytest here")
    missing = [file for file in files if not local.ran[file.path.as_posix()]]
    failed = sum(local.failed[file.path.as_posix()] for file in files)
    return item(what, not missing and not failed, f"{failed} tests failed, {len(missing)} files have not run")


def _measured(files: Sequence[TestFile], remote: Results) -> Item:
    what = "Its duration is measured"
    if remote.source and any(remote.ran[file.path.as_posix()] for file in files):
        return Item(what=what, state=State.DONE, detail=f"in {remote.source}")
    return Item(what=what, state=State.UNKNOWN, detail="name CI's JUnit files by --junit")


class Texts:
    """What a directory's own files say, and those of the project around it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        requirements = ["pyproject.toml", "setup.cfg", "setup.py", "MODULE.bazel", *self._glob("requirements*.txt")]
        self.has_package = bool(self._first(requirements, _PACKAGE))
        declarations = [
            "realservices.toml",
            "pyproject.toml",
            "BUILD.bazel",
            "BUILD",
            "tests/BUILD.bazel",
            "tests/BUILD",
        ]
        self.declared = self._first(declarations, _DECLARED)
        self.documented = self._first(["README.md", *self._glob("*.md"), *self._glob("docs/*.md")], _WORDS)

    def _glob(self, pattern: str) -> list[str]:
        places = dict.fromkeys((self._folder, self._root))
        return [path.relative_to(place).as_posix() for place in places for path in sorted(place.glob(pattern))]

    def _first(self, names: Iterable[str], pattern: re.Pattern[str]) -> str:
        for place in dict.fromkeys((self._folder, self._root)):
            for name in names:
                path = place / name
                if path.is_file() and pattern.search(_text(path)):
                    return path.relative_to(self._root).as_posix()
        return ""


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_READ_AT_MOST_BYTES)
    except OSError:
        return ""
