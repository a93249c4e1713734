"""The project around the tests: where a dotted name is defined, through imports and names handed on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from realservices.mocks.scan.apis import exported_by_star
from realservices.mocks.scan.context import context_of_module
from realservices.mocks.scan.files import is_test_side, python_files
from realservices.mocks.scan.module_summary import ModuleSummary, summarize
from realservices.mocks.scan.reading import UnreadableError, parse_source, read_source
from realservices.mocks.scan.scopes import INSTANCE
from realservices.mocks.scan.vocabulary import service_of_package
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOPS = 12
_SQLITE = frozenset({"sqlite3", "aiosqlite", "apsw"})


class Definition(NamedTuple):
    """Where a dotted name leads.

    Attributes:
        full: The name, followed as far as the project goes; of a library where it leads there.
        kind: "library", "function", "class", "value", "module" or "unknown"; the middle four are the project's own.
        returns: Of a function: the full name of what it returns, where it says so. Of a class: of its bases.
    """

    full: str
    kind: str
    returns: tuple[str, ...] = ()


class Project:
    """All Python files below a root, read when they are needed.

    Args:
        root: The tree.
        files: Its Python files, where they are known already.
    """

    def __init__(self, root: Path, files: Iterable[Path] | None = None) -> None:
        self.root = root
        self._by_stem: dict[str, list[tuple[str, ...]]] = {}
        self._summaries: dict[tuple[str, ...], ModuleSummary | None] = {}
        self._found: dict[tuple[str, Path], Path | None] = {}
        self._folders: dict[Path, Path] = {}
        self._heads: set[str] = set()
        self._packages: set[tuple[str, ...]] = set()
        self._all: set[tuple[str, ...]] = set()
        for path in python_files(root).files if files is None else files:
            self._add(path)

    def _add(self, path: Path) -> None:
        parts = path.relative_to(self.root).parts if path.is_absolute() else path.parts
        self._all.add(parts)
        self._heads.update(parts[:-1])
        stem = parts[-1].removesuffix(".py")
        if stem == "__init__":
            self._packages.add(parts[:-1])
            stem = parts[-2] if len(parts) > 1 else ""
        self._heads.add(stem)
        self._by_stem.setdefault(stem, []).append(parts)

    def has(self, path: Path) -> bool:
        """Return whether a file is there, by its path relative to the root."""
        return path.parts in self._all

    def module_name(self, path: Path) -> str:
        """Return the dotted name that a file is imported by: from the directory above its packages."""
        parts = path.parts
        stem = parts[-1].removesuffix(".py")
        start = len(parts) - 1
        while start > 0 and parts[:start] in self._packages:
            start -= 1
        names = parts[start:-1]
        return ".".join(names if stem == "__init__" else (*names, stem))

    def find(self, module: str, near: Path) -> Path | None:
        """Return the file of a module, relative to the root; of several the nearest to the file that asks."""
        if module.partition(".")[0] not in self._heads:
            return None
        folder = self._folders.get(near)
        if folder is None:
            folder = self._folders[near] = near.parent
        key = (module, folder)
        if key not in self._found:
            parts = self._find(tuple(module.split(".")), folder.parts)
            self._found[key] = Path(*parts) if parts else None
        return self._found[key]

    def _find(self, names: tuple[str, ...], near: tuple[str, ...]) -> tuple[str, ...] | None:
        found = []
        for parts in self._by_stem.get(names[-1], ()):
            inside = parts[:-1] if parts[-1] == "__init__.py" else (*parts[:-1], parts[-1][:-3])
            if inside[len(inside) - len(names) :] == names:
                above = inside[: len(inside) - len(names)]
                if (above not in self._packages or above == near) and self._can_hold(names[0], above):
                    found.append((_common(above, near), -len(above), parts))
        return max(found)[2] if found else None

    def _can_hold(self, head: str, above: tuple[str, ...]) -> bool:
        # `import redis` beside a redis.py is the library, unless the directory is one that tests import from.
        if service_of_package(head) is None and head not in sys.stdlib_module_names:
            return True
        return not above and (head,) in self._packages

    def summary(self, path: Path) -> ModuleSummary | None:
        """Return what a file defines, None where it cannot be read."""
        if path.parts not in self._summaries:
            try:
                tree = parse_source(read_source(self.root / path))
                self._summaries[path.parts] = summarize(tree, self.module_name(path), path)
            except (UnreadableError, RecursionError):
                self._summaries[path.parts] = None
        return self._summaries[path.parts]

    def module_context(self, full: str, near: Path) -> tuple[Service, str]:
        """Return the one service whose libraries the module of a name imports, and why."""
        followed = self.definition(full, near).full
        path, _, _ = self._split(followed, near)
        summary = self.summary(path) if path else None
        return context_of_module(summary) if summary else (Service.OTHER, "")

    def works_on_sqlite(self, full: str, near: Path) -> bool:
        """Return whether the module of a name is one of SQLite, or imports it; a test's own helper modules are not."""
        path, module, _ = self._split(full, near)
        if path is None or is_test_side(path):
            return False
        summary = self.summary(path)
        names = [summary.names[name] for name in summary.imported] if summary else []
        return "sqlite" in module or any(name.partition(".")[0] in _SQLITE for name in names)

    def definition(self, full: str, near: Path) -> Definition:
        """Return where a dotted name leads, seen from a file."""
        name = full
        for _ in range(_HOPS):
            path, module, rest = self._split(name, near)
            summary = self.summary(path) if path else None
            if summary is None or path is None:
                known = service_of_package(name) is not None
                return Definition(name, "library" if known or not path else "unknown")
            near = path
            following = self._step(summary, rest)
            if isinstance(following, Definition):
                return following._replace(full=following.full or f"{module}.{rest}".rstrip("."))
            name = following
        return Definition(name, "unknown")

    def _split(self, name: str, near: Path) -> tuple[Path | None, str, str]:
        parts = name.replace(INSTANCE, "").split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if module and (path := self.find(module, near)):
                return path, module, ".".join(parts[length:])
        return None, "", name

    def _step(self, summary: ModuleSummary, rest: str) -> str | Definition:
        """Follow the names behind a module by one step, or say what they are."""
        if not rest:
            return Definition("", "module")
        parts = rest.split(".")
        for length in range(min(2, len(parts)), 0, -1):
            name, more = ".".join(parts[:length]), parts[length:]
            text = summary.names.get(name)
            if text and (length == 1 or name not in summary.functions):
                full = text if name in summary.imported else self._seen_from(summary, text)
                if full:
                    return ".".join([full, *more])
        return self._own(summary, parts)

    def _own(self, summary: ModuleSummary, parts: list[str]) -> str | Definition:
        head, whole = parts[0], ".".join(parts[:2])
        for name in dict.fromkeys((whole, head)):
            if name in summary.functions:
                returned = self._seen_from(summary, summary.functions[name])
                return Definition("", "function", (returned,) if returned else ())
        if head in summary.classes:
            bases = tuple(self._seen_from(summary, base) for base in summary.classes[head])
            return Definition("", "class", tuple(filter(None, bases)))
        for star in summary.stars:
            if head in exported_by_star(star) or self._defines(star, head, summary.path):
                return ".".join([star, *parts])
        return Definition("", "value" if head in summary.names else "unknown")

    def _defines(self, module: str, name: str, near: Path) -> bool:
        path = self.find(module, near)
        other = self.summary(path) if path and path != near else None
        return bool(other and (name in other.names or name in other.functions or name in other.classes))

    def _seen_from(self, summary: ModuleSummary, text: str) -> str:
        """Return the full name of a text within a module; "" where it is a literal or a builtin."""
        head, _, rest = text.partition(".")
        bare = head.removesuffix(INSTANCE)
        if bare in summary.imported:
            return summary.names[bare] + head[len(bare) :] + (f".{rest}" if rest else "")
        if bare in summary.functions or bare in summary.classes or bare in summary.names:
            return f"{summary.name}.{text}" if text != bare or bare not in summary.names else ""
        return ""


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
