"""Verdicts, and the table that shows them."""

from __future__ import annotations

import pytest

from bench.rows import Result, Row, render


@pytest.mark.parametrize(
    ("samples", "bar", "verdict"),
    [([1, 2, 3], 2, "ok"), ([1, 2.01, 3], 2, "MISSED"), ([1, 1, 900], 2, "ok"), ([5], None, "")],
)
def test_the_median_decides(samples: list[float], bar: float | None, verdict: str) -> None:
    assert Row("x", samples, "ms", bar=bar).verdict == verdict


def test_the_table_lines_up_and_shows_bars_targets_and_notes() -> None:
    rows = [Row("start", [16.94, 20.2, 18], "ms"), Row("added", [151.2], "ms", bar=150, target=60)]
    table = render([Result("a", "PostgreSQL", rows, {}, ["a slower way was taken"])])

    heading, title, start, added, note = table.splitlines()
    assert title == "(a) PostgreSQL"
    assert start.split() == ["start", "18", "ms", "16.9", "20.2", "3"]
    assert added.split() == ["added", "151", "ms", "151", "151", "1", "≤", "150", "(60)", "MISSED"]
    assert heading.index("median") + len("median") == start.index("18 ms") + len("18 ms")
    assert note.strip() == "note: a slower way was taken"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0123, "0.012"), (0.51, "0.51"), (-99.24, "-99.2"), (1436.5, "1436"), (2114, "2114"), (0, "0")],
)
def test_numbers_have_three_significant_digits(value: float, shown: str) -> None:
    assert render([Result("a", "", [Row("x", [value], "")], {})]).splitlines()[-1].split()[1] == shown


def test_json_holds_rows_samples_and_notes() -> None:
    result = Result("a", "PostgreSQL", [Row("start", [2, 4], "ms", bar=2)], {"start_ms": [2, 4]}, ["note"])
    assert result.as_json() == {
        "title": "PostgreSQL",
        "rows": [
            {
                "name": "start",
                "unit": "ms",
                "median": 3,
                "min": 2,
                "max": 4,
                "count": 2,
                "bar": 2,
                "target": None,
                "verdict": "MISSED",
            }
        ],
        "samples": {"start_ms": [2, 4]},
        "notes": ["note"],
    }
