"""Say how far a migration is: the checklists per file, per service and for the suite, computed; a gate for CI."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.mocks.scanned import add_path_options, scanned
from realservices.control.console import Console
from realservices.mocks.added_lines import added_lines
from realservices.mocks.checklist import Item, State, file_items, services, suite_items
from realservices.mocks.checklist.test_results import junit_results, local_results
from realservices.mocks.counts import count, leaving
from realservices.mocks.scan_json import counts_as_json, use_as_json
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from realservices.mocks.checklist import Service
    from realservices.mocks.scan_model import MockUse, Suite, TestFile

HELP = "say how far a migration is; a gate for CI"
_VERSION = 1
_MARKS = {State.DONE: ("✓", "green"), State.OPEN: ("✗", "red"), State.UNKNOWN: ("?", "yellow")}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_path_options(parser)
    parser.add_argument("--files", action="store_true", help="print the checklist of each file that is not done")
    parser.add_argument(
        "--junit", type=Path, action="append", default=[], metavar="FILE", help="a result of CI; repeatable"
    )
    parser.add_argument(
        "--fail-if-more-than", type=int, metavar="N", help="exit with 1 where more than N mocks are to be replaced"
    )
    parser.add_argument(
        "--new-in-diff",
        metavar="REV",
        help="look only at mocks in lines that are not in a revision; more than none fails, unless N says otherwise",
    )


def run(options: argparse.Namespace) -> int:
    """Scan, compute, say, and judge."""
    console = Console()
    suite = scanned(options, console)
    new = _new_in_diff(suite, options.new_in_diff) if options.new_in_diff else None
    found = len(new) if new is not None else suite.leaving
    limit = options.fail_if_more_than if options.fail_if_more_than is not None else (0 if new is not None else None)
    fails = bool(suite.unreadable) or (limit is not None and found > limit)
    report = Report(suite, options.junit)
    if options.json:
        console.json(report.as_json(new, limit, fails))
    elif new is not None:
        _print_new(console, new, options.new_in_diff)
    else:
        _print(console, report, options.files)
    if not options.json:
        for file in suite.unreadable:
            console.line(f"✗ {as_text(file.path.as_posix())} could not be read: {as_text(file.error)}")
        if limit is not None:
            verdict = "more than" if found > limit else "not more than"
            console.line(f"{found} {'new ' if new is not None else ''}mocks to be replaced: {verdict} {limit}")
    return EXIT_ERROR if fails else EXIT_OK


def _new_in_diff(suite: Suite, revision: str) -> list[tuple[TestFile, MockUse]]:
    added = added_lines(suite.root, revision)
    return [
        (file, use)
        for file in suite.files
        for use in leaving(file)
        if any(use.line in lines for lines in added.get(file.path.as_posix(), ()))
    ]


class Report:
    """All checklists of a suite.

    Args:
        suite: What was scanned.
        junit: CI's results.
    """

    def __init__(self, suite: Suite, junit: Sequence[Path]) -> None:
        self.suite = suite
        local, remote = local_results(suite.root), junit_results(junit)
        readable = [file for file in suite.files if not file.error]
        relevant = [file for file in readable if file.uses or file.fixtures]
        self.files = [(file, file_items(file, local, remote)) for file in relevant]
        self.services: list[Service] = services(suite.root, readable, local, remote)
        self.items = suite_items(suite, self.services, local)

    def as_json(self, new: list[tuple[TestFile, MockUse]] | None, limit: int | None, fails: bool) -> dict[str, Any]:
        """Return it as JSON has it."""
        counts = count(self.suite)
        gate = {"limit": limit, "new": None if new is None else [
            {"path": file.path.as_posix(), **use_as_json(use)} for file, use in new
        ]}  # fmt: skip
        return {
            "version": _VERSION,
            "verdict": "error" if fails else "ok",
            "root": str(self.suite.root),
            "counts": counts_as_json(counts),
            "gate": gate,
            "suite": _items_as_json(self.items),
            "services": [
                {"name": one.name, "leaving": _left(one), "items": _items_as_json(one.items)} for one in self.services
            ],
            "files": [
                {"path": file.path.as_posix(), "leaving": len(leaving(file)), "items": _items_as_json(items)}
                for file, items in self.files
            ],
            "unreadable": [{"path": file.path.as_posix(), "error": file.error} for file in self.suite.unreadable],
        }


def _items_as_json(items: Sequence[Item]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(one) for one in items]


def _left(service: Service) -> int:
    return sum(len(leaving(file)) for file in service.files)


def _print_new(console: Console, new: list[tuple[TestFile, MockUse]], revision: str) -> None:
    for file, use in new:
        place = f"{file.path.as_posix()}:{use.line}"
        console.line(
            as_text(f"{place}: {use.form.value} of {use.service.value} is not in {revision}: {use.evidence[0]}")
        )


def _print(console: Console, report: Report, with_files: bool) -> None:
    _print_items(console, "suite", report.items)
    for service in report.services:
        _print_items(console, f"{service.name}: {_left(service)} mocks to be replaced", service.items)
    done = sum(all(one.state is State.DONE for one in items) for _, items in report.files)
    console.line(
        f"\n{done} of {len(report.files)} files are done" + ("" if with_files else "; --files lists the others")
    )
    for file, items in report.files if with_files else ():
        if any(one.state is not State.DONE for one in items):
            _print_items(console, f"{file.path.as_posix()} ({file.complexity.value})", items)


def _print_items(console: Console, title: str, items: Sequence[Item]) -> None:
    console.line(f"\n{as_text(title)}")
    for one in items:
        mark = console.coloured(*_MARKS[one.state])
        console.line(f"  {mark} {one.what}" + (f": {as_text(one.detail)}" if one.detail else ""))
