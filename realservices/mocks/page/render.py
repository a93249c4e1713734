"""Write the page: the counts, the burn-down, what is mocked, and the files in the order of migration."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from realservices.mocks.counts import count, leaving, order
from realservices.mocks.page.chart import burn_down
from realservices.mocks.page.frame import FRAME
from realservices.mocks.page.style import STYLE

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from realservices.mocks.counts import Counts, Step
    from realservices.mocks.history import Record
    from realservices.mocks.scan_model import MockUse, Suite

_MOST_DETAILS = 400
"""Files whose mocks are listed one by one: more would make a page that no browser likes; `--json` has all."""


def render(suite: Suite, history: Sequence[Record], now: datetime.datetime) -> str:
    """Return the page.

    Args:
        suite: What was scanned.
        history: All scans to draw, this one among them, the oldest first.
        now: When the scan was, for people.
    """
    counts = count(suite)
    parts = {
        "TITLE": escape(f"Mocks of {suite.root.name}"),
        "STYLE": STYLE,
        "BODY": "\n".join(_body(suite, counts, history, now)),
    }
    pieces = FRAME.split("@@")  # Text, name, text, name, …: a part is never looked through for names.
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def _body(suite: Suite, counts: Counts, history: Sequence[Record], now: datetime.datetime) -> Iterable[str]:
    yield f"<h1>{escape(suite.root.name)}: {counts.leaving} mocks to be replaced</h1>"
    yield (
        f"<p>In {counts.files_with_mocks} of {counts.files} files with {counts.tests} tests; {counts.staying} more "
        f'mocks are right to stay. <span class="note">Scanned {now:%Y-%m-%d %H:%M} UTC.</span></p>'
    )
    yield from _unreadable(suite)
    yield '<section aria-labelledby="burn-down"><h2 id="burn-down">Burn-down</h2>'
    yield burn_down(history)
    yield "</section>"
    yield from _services(counts)
    yield from _files(order(suite))


def _unreadable(suite: Suite) -> Iterable[str]:
    if not suite.unreadable:
        return
    yield '<section class="bad" aria-labelledby="unreadable"><h2 id="unreadable">Files that could not be read</h2><ul>'
    for file in suite.unreadable:
        yield f"<li><code>{escape(file.path.as_posix())}</code>: {escape(file.error)}</li>"
    yield "</ul></section>"


def _services(counts: Counts) -> Iterable[str]:
    yield '<section aria-labelledby="services"><h2 id="services">What they stand for</h2><div class="tables">'
    for title, numbers in (
        ("Service", counts.by_service), ("Complexity (files)", counts.by_complexity), ("Form", counts.by_form)
    ):  # fmt: skip
        yield f'<table><caption class="unseen">{title}</caption><thead><tr><th scope="col">{title}</th>'
        yield '<th scope="col" class="number">Number</th><th scope="col"><span class="unseen">Share</span></th></tr>'
        yield "</thead><tbody>"
        most = max([1, *numbers.values()])
        for name, number in numbers.items():
            bar = f'<span class="share"><span style="width:{100 * number / most:.1f}%"></span></span>'
            yield f'<tr><th scope="row">{escape(name)}</th><td class="number">{number}</td><td>{bar}</td></tr>'
        yield "</tbody></table>"
    yield "</div></section>"


def _files(steps: Sequence[Step]) -> Iterable[str]:
    if not steps:
        return
    yield '<section aria-labelledby="files"><h2 id="files">Files, in the order of migration</h2>'
    yield '<p class="note">Simple files first; among alike ones those that win most for their effort.</p>'
    for number, step in enumerate(steps):
        uses = leaving(step.file)
        services = ", ".join(dict.fromkeys(use.service.value for use in uses))
        grade = step.file.complexity.value
        title = (
            f'<span class="path">{escape(step.file.path.as_posix())}</span> <span class="badge {grade}">{grade}</span> '
            f'<span class="note">{len(uses)} of {services}; gain {step.gain}, effort {step.effort}</span>'
        )
        if number < _MOST_DETAILS:
            yield f"<details><summary>{title}</summary><ol>{''.join(map(_use, step.file.uses))}</ol></details>"
        else:
            yield f'<p class="file">{title}</p>'
    if len(steps) > _MOST_DETAILS:
        yield f'<p class="note">Mocks are listed for the first {_MOST_DETAILS} files; --json has all.</p>'
    yield "</section>"


def _use(use: MockUse) -> str:
    target = f" of <code>{escape(use.target)}</code>" if use.target else ""
    notes = [*use.evidence, *(f"hard: {one}" for one in use.hard)]
    if use.stays:
        notes.append(f"right to stay: {use.stays}")
    shown = "; ".join(map(escape, notes))
    return (
        f"<li>Line {use.line}: <code>{escape(use.api)}</code>{target}: <strong>{use.service.value}</strong> "
        f'<span class="note">{shown}</span></li>'
    )
