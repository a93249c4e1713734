"""One module of the project with other content than its file has: nothing is written into anybody's tree.

It does not ask where a module was found: packages, `src` layouts, editable installations and namespace packages have a
file in the end, and that file's content is replaced.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType


class Overlay(importlib.abc.MetaPathFinder):
    """A finder that has other finders find, and replaces the content of one file.

    Args:
        path: The file, without symbolic links.
        source: What is in it now.

    Attributes:
        is_used: Whether the file was imported.
    """

    def __init__(self, path: str, source: bytes) -> None:
        self.is_used = False
        self._path = path
        self._source = source

    def install(self) -> None:
        """Come before all other finders."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return what the first of the other finders finds."""
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return self._changed(spec)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Come before pytest's own finder, which it has put first by now."""
        self.install()

    def _changed(self, spec: importlib.machinery.ModuleSpec) -> importlib.machinery.ModuleSpec:
        if spec.origin and spec.has_location and os.path.realpath(spec.origin) == self._path:
            self.is_used = True
            spec.loader = _Loader(spec.name, spec.origin, self._source)
            spec.cached = None
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        # Not from a cache, and not into one.
        return compile(self._source, self.get_filename(fullname), "exec", dont_inherit=True)

    def get_data(self, path: str) -> bytes:
        return self._source if path == self.path else super().get_data(path)
