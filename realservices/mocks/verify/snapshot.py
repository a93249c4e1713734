"""A view of a project whose tests are those of an earlier commit, and whose other files are as they are now.

It is made of symbolic links: only directories that hold changed test code are directories of its own. So files that git
does not have are there too, and the project's tree is left alone.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from realservices.mocks.verify.tested_project import is_test_code

if TYPE_CHECKING:
    from realservices.mocks.verify.git_history import Repository


def make_snapshot(repository: Repository, commit: str, test: str, target: Path) -> None:
    """Make the view.

    Args:
        repository: The project's.
        commit: The commit whose tests are wanted.
        test: The test file in question, relative to the repository.
        target: The directory to make.
    """
    changed = {test, *(path for path in repository.changed(commit) if is_test_code(path))}
    contents = {path: repository.content(commit, path) for path in changed}
    replaced: defaultdict[PurePosixPath, dict[str, bytes | None]] = defaultdict(dict)
    for path, content in contents.items():
        replaced[PurePosixPath(path).parent][PurePosixPath(path).name] = content
    folders = {folder for each in replaced for folder in (each, *each.parents)}
    for folder in sorted(folders):
        _make_folder(repository.top.resolve() / folder, target / folder, replaced[folder])


def _make_folder(original: Path, target: Path, replaced: dict[str, bytes | None]) -> None:
    """Make one directory: files of the earlier commit, and links to the others."""
    target.unlink(missing_ok=True) if target.is_symlink() else None
    target.mkdir(parents=True, exist_ok=True)
    for name, content in replaced.items():
        if content is not None:
            (target / name).write_bytes(content)
    for entry in original.iterdir() if original.is_dir() else ():
        # What is compiled there may be of the files as they are now.
        if entry.name not in replaced and entry.name != "__pycache__":
            (target / entry.name).symlink_to(entry)
