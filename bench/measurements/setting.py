"""What every measurement is given: Bazel, and how often to repeat."""

from __future__ import annotations

from dataclasses import dataclass

from bench.bazel import Bazel


@dataclass(frozen=True)
class Setting:
    """The run that a measurement is part of.

    Args:
        bazel: Bazel in the benchmark's workspace.
        runs: How often to repeat, or None for each measurement's own number.
        is_quick: Whether a rough answer will do: for trying the tool out, not for judging.
    """

    bazel: Bazel
    runs: int | None
    is_quick: bool

    def rounds(self, usual: int, quick: int) -> int:
        """Return how often to repeat what is usually repeated ``usual`` times."""
        if self.runs is not None:
            return self.runs
        return quick if self.is_quick else usual
