"""Names of environment variables that a project's settings read, and what they are without one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = re.compile(r"settings.*|.*config.*|conftest|common|database|db|env")
_FOLDERS = re.compile(r"settings|config")
_DEEP = 4
# `os.getenv("A", "b")`, `os.environ["A"]`, `environ.get("A")`, and what projects call theirs: `envint("A")`,
# `env.str("A")`, `config("A")`.
_READ = re.compile(
    r"""(?:\bgetenv\(|\benviron(?:\.get\(|\[)|\benv\w*(?:\.\w+)?\(|\bconfig\()\s*(["'])([A-Z][A-Z0-9_]*)\1"""
    r"""(?:\s*,\s*(?:default=)?(["'])([^"'\n]*)\3)?"""
)
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_SKIPPED = {"node_modules", "site-packages", "__pycache__"}


def settings_files(root: Path) -> Iterator[Path]:
    """Yield the files of a project that look like its settings, in order."""
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        if _VIRTUAL_ENVIRONMENT in files:
            folders.clear()
            continue
        is_deep = len(here.relative_to(root).parts) >= _DEEP
        folders[:] = [] if is_deep else sorted(name for name in folders if name[0] != "." and name not in _SKIPPED)
        for name in sorted(files):
            stem, dot, suffix = name.rpartition(".")
            if dot and suffix == "py" and (_FILES.fullmatch(stem) or _FOLDERS.fullmatch(here.name)):
                yield here / name


def names_read(text: str) -> Iterator[tuple[str, str]]:
    """Yield each variable's name and its default, "" if it has none, or none that is a text."""
    for match in _READ.finditer(text):
        yield match[2], match[4] or ""
