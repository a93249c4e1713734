"""Find the mocks of a suite, and say what each stands for, which are right to stay, and what to migrate first."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.mocks.scanned import add_path_options, scanned
from realservices.control.console import Console
from realservices.mocks import history
from realservices.mocks.counts import count, leaving, order
from realservices.mocks.page import render
from realservices.mocks.project_root import commit_of
from realservices.mocks.scan_json import scan_as_json
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from realservices.mocks.counts import Counts, Step
    from realservices.mocks.scan_model import MockUse, Suite

HELP = "find the mocks of a suite, and say what each stands for"
_MOST_STEPS = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_path_options(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the burn-down over time")
    parser.add_argument("--history", type=Path, metavar="FILE", help="add this scan to a file of JSON lines")
    parser.add_argument("--mocks", action="store_true", help="print each mock with its evidence")
    parser.add_argument(
        "--limit", type=int, default=_MOST_STEPS, metavar="N", help="files of the order to print (%(default)s; 0: all)"
    )


def run(options: argparse.Namespace) -> int:
    """Scan, and say what was found."""
    console = Console()
    suite = scanned(options, console)
    counts = count(suite)
    now, commit = datetime.datetime.now(datetime.UTC), commit_of(suite.root)
    if options.history:
        history.append(options.history, counts, time=now, commit=commit)
    if options.html:
        past = history.read(options.history) if options.history else [history.record_of(counts, now, commit)]
        options.html.write_text(render(suite, past, now), encoding="utf-8")
    if options.json:
        console.json(scan_as_json(suite))
    else:
        _print(console, suite, counts, options)
    return EXIT_ERROR if suite.unreadable else EXIT_OK


def _print(console: Console, suite: Suite, counts: Counts, options: argparse.Namespace) -> None:
    console.line(
        f"mocks to be replaced: {counts.leaving}, in {counts.files_with_mocks} of {counts.files} files "
        f"with {counts.tests} tests; right to stay: {counts.staying}"
    )
    _print_services(console, suite, counts)
    if options.mocks:
        for file in suite.files:
            for use in file.uses:
                _print_use(console, file.path, use)
    _print_order(console, order(suite), options.limit)
    for file in suite.unreadable:
        mark = console.coloured("✗", "red")
        console.line(f"{mark} {as_text(file.path.as_posix())} could not be read: {as_text(file.error)}")


def _print_services(console: Console, suite: Suite, counts: Counts) -> None:
    if not counts.leaving:
        return
    rows = [("service", "mocks", "files", "most of them")]
    for service, number in sorted(counts.by_service.items(), key=lambda one: -one[1]):
        files, forms = _spread(suite, service)
        rows.append((service, str(number), str(files), forms))
    console.line()
    _print_table(console, rows, numbers=(1, 2))
    shown = ", ".join(f"{number} {name}" for name, number in counts.by_complexity.items())
    console.line(f"\nfiles by complexity: {shown}")


def _spread(suite: Suite, service: str) -> tuple[int, str]:
    """Return in how many files a service is mocked, and the forms that are most common."""
    forms: dict[str, int] = {}
    files = 0
    for file in suite.files:
        uses = [use for use in leaving(file) if use.service.value == service]
        files += bool(uses)
        for use in uses:
            forms[use.form.value] = forms.get(use.form.value, 0) + 1
    most = sorted(forms.items(), key=lambda one: -one[1])[:3]
    return files, ", ".join(f"{number} {name}" for name, number in most)


def _print_order(console: Console, steps: list[Step], limit: int) -> None:
    if not steps:
        return
    shown = steps if limit <= 0 else steps[:limit]
    rows = [("migrate in this order", "complexity", "mocks", "gain", "effort", "services")]
    for step in shown:
        uses = leaving(step.file)
        services = ", ".join(dict.fromkeys(use.service.value for use in uses))
        numbers = (str(len(uses)), str(step.gain), str(step.effort))
        rows.append((as_text(step.file.path.as_posix()), step.file.complexity.value, *numbers, services))
    console.line()
    _print_table(console, rows, numbers=(2, 3, 4))
    if len(shown) < len(steps):
        console.line(f"… and {len(steps) - len(shown)} more; --limit 0 prints all")


def _print_table(console: Console, rows: Sequence[tuple[str, ...]], numbers: tuple[int, ...]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [cell.rjust(width) if column in numbers else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        line = "  ".join(cells).rstrip()
        console.line(line if number else console.coloured(line, "bold"))


def _print_use(console: Console, path: Path, use: MockUse) -> None:
    api = use.api if not use.target else f"{use.api} of {use.target}"
    console.line(as_text(f"{path.as_posix()}:{use.line}: {use.form.value}, {use.service.value}: {api}"))
    for why in (*use.evidence, *(f"hard: {one}" for one in use.hard), *([f"stays: {use.stays}"] if use.stays else [])):
        console.paragraph(as_text(why), 4)
