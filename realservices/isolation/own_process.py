"""What belongs to the process that has made it, and is inherited by a child which that process forks.

A child of os.fork, or of multiprocessing's start method fork, has its parent's sockets but none of its threads. So what
needs such a thread would wait for ever there, and what is written to such a socket, or said at its end, would come
between the parent and its server.
"""

from __future__ import annotations

import os

from realservices.isolation.errors import IsolationError


class ForkedProcessError(IsolationError):
    """Something of a test was used in a forked child, where it cannot work."""


class OwnProcess:
    """The process in which it was made."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def is_this(self) -> bool:
        """Whether this is that process, not one that it has forked."""
        return os.getpid() == self._pid

    def require(self, what: str, instead: str) -> None:
        """Refuse a forked child.

        Args:
            what: What is used.
            instead: What a child does in its place.

        Raises:
            ForkedProcessError: This is one.
        """
        if not self.is_this:
            raise ForkedProcessError(
                f"{what} belongs to process {self._pid}, and cannot be used in process {os.getpid()}, which was forked "
                f"from it: threads and connections serve one process. {instead}"
            )
