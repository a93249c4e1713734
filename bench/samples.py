"""Arithmetic on samples: what is compared was measured in turns, so it is compared pair by pair.

A machine gets busier and quieter over a run. The quotient or difference of two neighbouring samples hardly sees that,
and the median over all pairs is not moved by the few that do.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """What a row shows of its samples."""

    median: float
    lowest: float
    highest: float
    count: int


def summarize(samples: Sequence[float]) -> Summary:
    """Return the median and the extremes.

    Raises:
        ValueError: There are no samples.
    """
    if not samples:
        raise ValueError("a measurement gave no samples")
    return Summary(statistics.median(samples), min(samples), max(samples), len(samples))


def paired_ratios(samples: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return sample / base for each pair that was measured in the same round.

    Raises:
        ValueError: The rounds do not match, or a base is not positive.
    """
    return [sample / _positive(other) for sample, other in zip(samples, base, strict=True)]


def paired_differences(samples: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return sample - base for each pair that was measured in the same round.

    Raises:
        ValueError: The rounds do not match.
    """
    return [sample - other for sample, other in zip(samples, base, strict=True)]


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"cannot take a ratio to {value}: nothing was measured")
    return value
