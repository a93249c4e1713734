"""The files that a pattern of a declaration names.

``**`` stands for the folders of the project itself: not for hidden ones, virtual environments and installed packages,
whose files would become a part of the schema, and are more than all others.
"""

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
    found = {path for start in starts for folder in own_folders(start) for path in matches(folder, rest)}
    return sorted(found)


def own_folders(start: Path) -> Iterator[Path]:
    """Yield a directory and those below it that are the project's own, in alphabetical order."""
    for directory, folders, files in os.walk(start):
        if _VIRTUAL_ENVIRONMENT in files and directory != str(start):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in _INSTALLED)
        yield Path(directory)
