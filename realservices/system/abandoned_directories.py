"""The names of the directories in a user's directory, and which of them may have been left by a killed process."""

from __future__ import annotations

import os
import time

from realservices.system.locks import UNFINISHED, lock_abandoned_directory
from realservices.system.removal import discard_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RUN, MEMORY, SESSION, FILES = "run.", "memory.", "session.", "files."
"""How names begin: of a launcher's directory, of its part in shared memory, of a session's, of one with a test's files.
An id follows."""

_ID_LENGTH = 12
# A directory gets its name in the moment after it is made.
_UNFINISHED_S = 60.0


def new_id() -> str:
    """Return a new id, 12 hexadecimal digits; a launcher's is also the tag of its processes (host/process_tags.py)."""
    return os.urandom(_ID_LENGTH // 2).hex()


def is_id(text: str) -> bool:
    """Return whether a text is such an id."""
    return len(text) == _ID_LENGTH and all(digit in "0123456789abcdef" for digit in text)


def abandoned_directories(directory: str) -> Iterator[str]:
    """Yield the directories in a user's directory that may have been left; a lock on each has the last word."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        kind, _, rest = entry.name.removeprefix(UNFINISHED).partition(".")
        is_ours = f"{kind}." in (RUN, MEMORY, SESSION, FILES) and is_id(rest) and entry.is_dir(follow_symlinks=False)
        if is_ours and not (entry.name.startswith(UNFINISHED) and _is_young(entry.path)):
            yield entry.path


def remove_abandoned_directories(directory: str, kind: str) -> None:
    """Remove those of a kind that were left and in which no launcher has lived, whose processes may still run.

    Args:
        directory: A user's.
        kind: How their names begin.
    """
    for path in abandoned_directories(directory):
        lock = lock_abandoned_directory(path) if kind in os.path.basename(path) else -1
        if lock >= 0:
            if not any(map(is_id, os.listdir(path))):
                discard_tree(path)
            os.close(lock)


def _is_young(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime < _UNFINISHED_S
    except OSError:
        return True  # Gone.
