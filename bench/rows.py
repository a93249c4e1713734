"""Rows of the result: a name, samples with a unit, and the bar that their median must not exceed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.samples import Summary, summarize

OK, MISSED, NO_BAR = "ok", "MISSED", ""
_HEADINGS = ("", "median", "min", "max", "n", "bar", "verdict")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: What was measured.
        samples: In ``unit``; the median counts.
        unit: ``ms``, ``x``, ``MB`` and the like.
        bar: The largest median that is good enough; None where the row is only there to be known.
        target: What we want to reach beyond the bar.
    """

    name: str
    samples: Sequence[float]
    unit: str
    bar: float | None = None
    target: float | None = None

    @property
    def summary(self) -> Summary:
        """Median and extremes of the samples."""
        return summarize(self.samples)

    @property
    def verdict(self) -> str:
        """OK, MISSED or NO_BAR."""
        if self.bar is None:
            return NO_BAR
        return OK if self.summary.median <= self.bar else MISSED

    def as_json(self) -> dict[str, Any]:
        """Return the row for the JSON file."""
        summary = self.summary
        return {
            "name": self.name,
            "unit": self.unit,
            "median": summary.median,
            "min": summary.lowest,
            "max": summary.highest,
            "count": summary.count,
            "bar": self.bar,
            "target": self.target,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Result:
    """What one measurement found.

    Args:
        letter: Its name in ``--only``.
        title: Its heading in the table.
        rows: What the table shows.
        samples: All that was measured, by name with the unit.
        notes: What a reader must know to believe the rows.
    """

    letter: str
    title: str
    rows: list[Row]
    samples: dict[str, list[float]]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the result for the JSON file."""
        rows = [row.as_json() for row in self.rows]
        return {"title": self.title, "rows": rows, "samples": self.samples, "notes": self.notes}


def render(results: Sequence[Result]) -> str:
    """Return the table as text."""
    lines: list[tuple[str, ...]] = []
    for result in results:
        lines.append((f"({result.letter}) {result.title}",))
        lines += [_cells(row) for row in result.rows]
        lines += [(f"    note: {note}",) for note in result.notes]
    full = [_HEADINGS, *(line for line in lines if len(line) > 1)]
    widths = [max(len(line[column]) for line in full) for column in range(len(_HEADINGS))]
    return "\n".join(_aligned(line, widths) for line in [_HEADINGS, *lines])


def _cells(row: Row) -> tuple[str, ...]:
    summary = row.summary
    numbers = [_number(value) for value in (summary.median, summary.lowest, summary.highest)]
    numbers[0] += f" {row.unit}"
    bar = "" if row.bar is None else f"≤ {_number(row.bar)}"
    if row.target is not None:
        bar += f" ({_number(row.target)})"
    return (f"    {row.name}", *numbers, str(summary.count), bar, row.verdict)


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    if len(line) == 1:
        return line[0]
    first = line[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]).rstrip()


def _number(value: float) -> str:
    """Show three significant digits, and no digits after the point where there are three before it."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.3f}"
