"""A database that servers of the project's own use, as `ServerState` sees it."""

from __future__ import annotations


class ServersStore:
    """Base of all kinds."""

    def take(self) -> None:
        """Look what is there before the first test."""
        raise NotImplementedError

    def resume(self) -> None:
        """Begin another test's use. Others may have had a turn since the last one."""

    def restore(self) -> None:
        """Put everything back.

        Raises:
            IsolationError: That is not possible.
            IsolationBrokenError: It was not possible in place, and it was made anew.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Disconnect."""
        raise NotImplementedError
