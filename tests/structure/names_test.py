"""No two modules of the package share a name, and none differs from another by an s: each is found by its name alone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.scratch import ROOT

_PACKAGE = ROOT / "realservices"
# What a package has of its own: its errors, and the function that its command calls.
_IN_MANY = {"__init__", "__main__", "errors", "main"}
# A module is called as its command: `status`, and `migrate status`.
_COMMANDS = _PACKAGE / "cli" / "mocks"


def _modules() -> dict[str, list[Path]]:
    found = defaultdict(list)
    for path in sorted(_PACKAGE.rglob("*.py")):
        is_part = path.is_relative_to(_PACKAGE / "kinds") and path.parent != _PACKAGE / "kinds"
        if path.stem not in _IN_MANY and not is_part and path.parent != _COMMANDS:
            found[path.stem].append(path.relative_to(_PACKAGE))
    return dict(found)


def test_no_two_modules_share_a_name() -> None:
    assert {name: paths for name, paths in _modules().items() if len(paths) > 1} == {}


def test_no_two_modules_or_pages_differ_by_an_s() -> None:
    modules, pages = set(_modules()), {path.stem for path in (ROOT / "docs").rglob("*.md")}
    alike = {name for names in (modules, pages) for name in names if f"{name}s" in names or f"{name}es" in names}
    assert alike == set()
