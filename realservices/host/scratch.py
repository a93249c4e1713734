"""A scratch directory for the work of one process, with a path that is short enough for unix sockets.

It lies in this user's directory below /tmp (which Bazel's sandbox makes private to the action), or where there is none
in shared memory or below /var/tmp.
"""

from __future__ import annotations

import os

from realservices.contract.errors import InfrastructureError
from realservices.system.abandoned_directories import RUN, new_id
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.locks import make_locked_directory
from realservices.system.os_errors import explain
from realservices.system.removal import remove_tree
from realservices.system.user_directory import user_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Scratch:
    """A directory that is locked from the start until `remove`.

    Attributes:
        name: By which the process that works in it can be known (`process_tags.tag_this_process`).
        path: Where it is.

    Args:
        bases: Where it may lie, the best place first.

    Raises:
        InfrastructureError: It cannot be made.
    """

    def __init__(self, bases: Sequence[str] = SHORT_BASES) -> None:
        self.name = new_id()
        self.path = f"{scratch_base(bases)}/{RUN}{self.name}"
        self._lock = make_private(self.path)

    def remove(self) -> None:
        """Remove it with all that is in it.

        Raises:
            OSError: Something in it cannot be removed.
        """
        remove_tree(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def scratch_base(bases: Sequence[str] = SHORT_BASES) -> str:
    """Return this user's directory in the first of the bases that can have one.

    Raises:
        InfrastructureError: There is none.
    """
    return user_directory(
        bases,
        component="directories",
        purpose="unix sockets, whose paths must be short",
        remedy="make room in one of these, or let this user write to it",
    )


def make_private(path: str) -> int:
    """Make a directory for this user only; return the descriptor that keeps it locked.

    Raises:
        InfrastructureError: It cannot be made.
    """
    try:
        return make_locked_directory(path)
    except OSError as error:
        raise InfrastructureError("directories", str(explain(error, f"cannot make {path}"))) from None
