"""What is to change in BUILD files so that tests which use real services are given them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.targets.build_files import (
    BuildFileError,
    services_in,
    target_of,
    with_services,
    with_target,
)
from realservices.mocks.targets.foreign_attributes import ForeignAttributeError
from realservices.mocks.targets.needed_kinds import kinds_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BUILD = ("BUILD.bazel", "BUILD")
_WORKSPACE = ("MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE")
# As `init` names them (cli/proposal/proposed_toml.py).
_NAMES = {"postgres": "db", "redis": "cache", "clickhouse": "analytics"}
_RULESET = "rules_realservices"
_NAMED = re.compile(r'bazel_dep\([^)]*name\s*=\s*"rules_realservices"[^)]*?repo_name\s*=\s*"([^"]+)"', re.S)


@dataclass(slots=True)
class Changes:
    """The files to be changed, and what could not be told.

    Attributes:
        texts: Old and new text by BUILD file.
        kinds: Kinds of services that the tests use.
        undeclared: Those for which no BUILD file declares a service.
        problems: What could not be changed, and why.
        added: Tests that get a target.
    """

    texts: dict[Path, tuple[str, str]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    undeclared: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def workspace_of(path: Path) -> Path | None:
    """Return the directory of the Bazel workspace that a path lies in, None where it lies in none."""
    return next((each for each in path.parents if any((each / name).is_file() for name in _WORKSPACE)), None)


def changes_for(tests: Iterable[Path], root: Path) -> Changes:
    """Return what is to change for some test files.

    Args:
        tests: The files.
        root: The workspace's directory.
    """
    changes = Changes()
    by_file: dict[Path, list[tuple[Path, set[str]]]] = defaultdict(list)
    for path in tests:
        if kinds := kinds_of(path):
            changes.kinds |= kinds
            by_file[_build_file(path, root)].append((path, kinds))
    known = _declared(root, changes)
    load = f"@{repository_of(root)}//rules:defs.bzl"
    for file, wanted in by_file.items():
        old = file.read_text(encoding="utf-8") if file.is_file() else ""
        new = old
        for path, kinds in wanted:
            labels = sorted(_label(known, kind, file.parent, root, changes) for kind in kinds)
            source = path.relative_to(file.parent).as_posix()
            try:
                target = target_of(new, source, str(file))
                new = (
                    with_services(new, target, labels, load, str(file))
                    if target
                    else with_target(new, [*_conftests(path, file.parent), source], labels, load)
                )
                if not target:
                    changes.added.append(source)
            except (BuildFileError, ForeignAttributeError) as error:
                changes.problems.append(str(error))
        if new != old:
            changes.texts[file] = (old, new)
    return changes


def _conftests(test: Path, package: Path) -> list[str]:
    """Return the conftest.py files of a test that lie in its package, the outermost first."""
    above = [each for each in reversed(test.parents) if each.is_relative_to(package)]
    return [
        (each / "conftest.py").relative_to(package).as_posix() for each in above if (each / "conftest.py").is_file()
    ]


def _build_file(path: Path, root: Path) -> Path:
    for directory in path.parents:
        for name in _BUILD:
            if (directory / name).is_file():
                return directory / name
        if directory == root:
            break
    return path.parent / _BUILD[0]


def _declared(root: Path, changes: Changes) -> dict[str, tuple[Path, str]]:
    """Return package and name of the first service of each kind, those nearer to the workspace's root first."""
    found: dict[str, tuple[Path, str]] = {}
    files = [
        path
        for name in _BUILD
        for path in root.rglob(name)
        if not any(part.startswith((".", "bazel-")) for part in path.relative_to(root).parts)
    ]
    for path in sorted(files, key=lambda each: (len(each.parts), each)):
        try:
            names = services_in(path.read_text(encoding="utf-8"), str(path))
        except (BuildFileError, OSError, ValueError) as error:
            changes.problems.append(str(error))
            continue
        for kind, name in names.items():
            found.setdefault(kind, (path.parent, name))
    return found


def _label(known: dict[str, tuple[Path, str]], kind: str, package: Path, root: Path, changes: Changes) -> str:
    if kind not in known:
        changes.undeclared.add(kind)
        name = _NAMES[kind]
        return f":{name}" if package == root else f"//:{name}"
    where, name = known[kind]
    if where == package:
        return f":{name}"
    return f"//{where.relative_to(root).as_posix()}:{name}".replace("//.:", "//:")


def repository_of(root: Path) -> str:
    """Return the name that a workspace has for the ruleset."""
    try:
        match = _NAMED.search((root / _WORKSPACE[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        match = None
    return match[1] if match else _RULESET
