"""A directory for one check, gone after it; if doctor is killed meanwhile, `clean` finds it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from realservices.host.sandbox import PRIVATE_PREFIX, lock_directory, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def scratch_directory(*bases: str) -> Iterator[str]:
    """Give an empty directory in the first of the ``bases`` where one can be made.

    Raises:
        OSError: It can be made in none of them.
    """
    path = _made(bases)
    lock = lock_directory(path)
    try:
        yield path
    finally:
        remove_tree(path)
        if lock >= 0:
            os.close(lock)


def _made(bases: tuple[str, ...]) -> str:
    for base in bases[:-1]:
        with contextlib.suppress(OSError):
            return tempfile.mkdtemp(prefix=PRIVATE_PREFIX, dir=base)
    return tempfile.mkdtemp(prefix=PRIVATE_PREFIX, dir=bases[-1])
