"""What one process uses of one service, as those see it who do not know its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence

    from realservices.contract.runtime import Endpoint


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a test has left, and that is there for the tests after it.

    Attributes:
        test: The test's id; empty: not known.
        text: What to tell its author.
    """

    test: str
    text: str


class ServiceIsolation:
    """Base of all kinds.

    Attributes:
        endpoint: The service.
    """

    endpoint: Endpoint

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""

    def restore(self) -> None:
        """Bring back what a restarted server has forgotten."""

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        return []

    def lock_waits(self) -> Sequence[object]:
        """Return the waits for locks that were ended since the last time, each as what to tell the test's author."""
        return ()

    def changes_on_purpose(self) -> contextlib.AbstractContextManager[None] | None:
        """Return what takes for given all that is changed meanwhile in the server as a whole; None: nothing has to."""
        return None

    def measures(self) -> dict[str, Any]:
        """Return what a pool holds at present; nothing if this is none."""
        return {}

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service.

        Args:
            drop: Remove what was made for tests, because the server goes on.
        """
