"""What projects in other languages depend on, each with its registry before its name: `npm:pg`, `go:github.com/lib/pq`.

Names are enough for that, not versions: a regular expression for each format, and no library for any of them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import find_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from realservices.cli.proposal.project_evidence import Evidence

_GRADLE = r"""["']([\w.-]+:[\w.-]+)[:"']"""
# File: registry, and what finds the names in it.
_TEXTS = {
    "go.mod": ("go", r"^(?:require)?\s*([\w.-]+\.\w+/[\w./-]+?)(?:/v\d+)?\s+v\d"),
    "Cargo.toml": ("cargo", r"^(?:\[(?:[\w.-]+\.)?dependencies\.)?([\w-]+)(?:\]|(?:\.\w+)?\s*=)"),
    "Gemfile": ("gem", r"""^\s*gem\s*\(?\s*["']([\w-]+)["']"""),
    "pom.xml": ("maven", r"<groupId>\s*([\w.-]+)\s*</groupId>\s*<artifactId>\s*([\w.-]+)\s*</artifactId>"),
    "build.gradle": ("maven", _GRADLE),
    "build.gradle.kts": ("maven", _GRADLE),
    "mix.exs": ("hex", r"\{\s*:(\w+)\s*,"),
}
# Crates for several databases, and the feature of one.
_CRATES = {"diesel", "diesel-async", "sea-orm", "sqlx"}
_FEATURE = re.compile(r'"(?:sqlx-)?postgres(?:ql)?"')
# File: registry, and the tables whose keys are names.
_OBJECTS = {
    "package.json": ("npm", ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")),
    "composer.json": ("composer", ("require", "require-dev")),
}


def dependencies_of_others(found: Evidence) -> Iterator[tuple[str, str]]:
    """Yield the name of each dependency, and the file that has it; those of the nearest files come first."""
    for path in find_any(found.root, {*_TEXTS, *_OBJECTS}):
        shown = path.relative_to(found.root).as_posix()
        registry = (_TEXTS.get(path.name) or _OBJECTS[path.name])[0]
        yield from ((f"{registry}:{name}", shown) for name in _names(found, path))


def _names(found: Evidence, path: Path) -> Iterable[str]:
    text = found.text(path)
    if path.name in _TEXTS:
        names = [":".join(match.groups()) for match in re.finditer(_TEXTS[path.name][1], text, re.MULTILINE)]
        features = _CRATES.intersection(names) if path.name == "Cargo.toml" and _FEATURE.search(text) else ()
        return [*names, *(f"{name}/postgres" for name in sorted(features))]
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        found.unread.append(f"{path.relative_to(found.root)}: {error}")
        return []
    tables = [content.get(key) for key in _OBJECTS[path.name][1]] if isinstance(content, dict) else []
    return [name for table in tables if isinstance(table, dict) for name in table]
