"""Draw the burn-down: the mocks that are left, scan by scan, as a picture and as a table for who reads no pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realservices.mocks.history import Record

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 28
_MOST_ROWS = 30
_STEPS = (1, 2, 5)


def burn_down(history: Sequence[Record]) -> str:
    """Return the figure.

    Args:
        history: At least one scan, the oldest first.
    """
    if len(history) < 2:
        return (
            f'<p>{history[0].leaving} mocks are left. <span class="note">From the second scan on with '
            "<code>--history</code>, a line shows how they become fewer.</span></p>"
        )
    first, last = history[0], history[-1]
    words = (
        f"From {first.leaving} mocks to be replaced on {first.time:%Y-%m-%d} to {last.leaving} on "
        f"{last.time:%Y-%m-%d}, in {len(history)} scans."
    )
    caption = f"<figcaption>{words}</figcaption>"
    return f'<figure aria-label="Mocks over time">{caption}{_picture(history, words)}{_table(history)}</figure>'


def _picture(history: Sequence[Record], words: str) -> str:
    top = _rounded(max(1, *(record.leaving + record.staying for record in history)))
    begin = history[0].time.timestamp()
    span = max(1.0, history[-1].time.timestamp() - begin)

    def place(record: Record, value: int) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (record.time.timestamp() - begin) / span
        return x, _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)

    left = [place(record, record.leaving) for record in history]
    all_of_them = [place(record, record.leaving + record.staying) for record in history]
    floor = f"L{left[-1][0]:.1f},{_HEIGHT - _BOTTOM} L{left[0][0]:.1f},{_HEIGHT - _BOTTOM} Z"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(words)}">{"".join(_grid(top))}'
        f'<path class="staying" d="{_line(all_of_them)} {_line(left[::-1]).replace("M", "L", 1)} Z"/>'
        f'<path class="area" d="{_line(left)} {floor}"/>'
        f'<path class="line" d="{_line(left)}"/>{"".join(_dots(history, left))}{"".join(_dates(history))}</svg>'
        '<p class="legend"><span class="key area"></span>to be replaced <span class="key staying"></span>'
        "right to stay</p>"
    )


def _rounded(value: int) -> int:
    """Return the next number that an axis may end with."""
    factor = 1
    while True:
        for step in _STEPS:
            if step * factor >= value:
                return step * factor
        factor *= 10


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _grid(top: int) -> Iterable[str]:
    for part in (0, 1, 2, 3, 4):
        if top % 4 and part % 2:
            continue  # Halves of a mock are none.
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - part / 4)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{top * part // 4}</text>'


def _dots(history: Sequence[Record], points: Sequence[tuple[float, float]]) -> Iterable[str]:
    for record, (x, y) in zip(history, points, strict=True):
        title = f"{record.time:%Y-%m-%d %H:%M}: {record.leaving} to be replaced, {record.staying} right to stay"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{title}</title></circle>'


def _dates(history: Sequence[Record]) -> Iterable[str]:
    for record, x, anchor in ((history[0], _LEFT, "start"), (history[-1], _WIDTH - _RIGHT, "end")):
        yield f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{record.time:%Y-%m-%d}</text>'


def _table(history: Sequence[Record]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{record.time:%Y-%m-%d %H:%M}</th><td>{escape(record.commit[:12])}</td>'
        f'<td class="number">{record.leaving}</td><td class="number">{record.staying}</td></tr>'
        for record in history[: -_MOST_ROWS - 1 : -1]
    )
    return (
        f"<details><summary>The last {min(len(history), _MOST_ROWS)} scans as a table</summary>"
        '<table><caption class="unseen">Scans</caption><thead><tr>'
        '<th scope="col">Time, UTC</th><th scope="col">Commit</th><th scope="col" class="number">To be replaced</th>'
        f'<th scope="col" class="number">Right to stay</th></tr></thead><tbody>{rows}</tbody></table></details>'
    )
