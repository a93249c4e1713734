"""The files that a pattern of a declaration names.

``**`` stands for the folders of the project itself: not for hidden ones, virtual environments and installed packages,
whose files would become a part of the schema, and are more than all others.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ANY_FOLDERS = "**"
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_INSTALLED = {"node_modules", "site-packages", "__pycache__"}


def matches(root: Path, pattern: str) -> list[Path]:
    """Return what a pattern names below a directory, in alphabetical order.

    Raises:
        OSError, ValueError, NotImplementedError: It cannot be looked for.
    """
    before, any_folders, rest = pattern.partition(f"{ANY_FOLDERS}/")
    if not any_folders or not rest or (before and not before.endswith("/")):
        return sorted(root.glob(pattern))
    starts = [path for path in root.glob(before) if path.is_dir()] if before else [root]
    found = {path for start in starts for folder, _ in own_folders(start) for path in matches(folder, rest)}
    return sorted(found)


def own_folders(
    start: Path, others: Collection[str] = (), deepest: float = math.inf
) -> Iterator[tuple[Path, list[str]]]:
    """Yield a directory and those below it that are the project's own, in alphabetical order, with their files' names.

    Args:
        start: The directory.
        others: Names of further folders that are not looked into.
        deepest: How many folders below the directory are.
    """
    for directory, folders, files in os.walk(start):
        if _VIRTUAL_ENVIRONMENT in files and directory != str(start):
            folders.clear()
            continue
        here, passed = Path(directory), _INSTALLED.union(others)
        is_deep = len(here.parts) - len(start.parts) >= deepest
        folders[:] = [] if is_deep else sorted(name for name in folders if name[0] != "." and name not in passed)
        yield here, sorted(files)
