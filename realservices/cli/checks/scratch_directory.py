"""A directory for one check, gone after it; if doctor is killed meanwhile, `clean` finds it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from realservices.host.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def scratch_directory(*bases: str) -> Iterator[str]:
    """Give an empty directory in the first of the ``bases`` where one can be made.

    Raises:
        InfrastructureError: It can be made in none of them.
    """
    scratch = Scratch(bases)
    try:
        yield scratch.path
    finally:
        scratch.remove()
