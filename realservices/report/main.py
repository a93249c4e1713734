"""The command line of tools/report: from a build event file to a page, and to JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from realservices.report.errors import ReportError
from realservices.report.run_report import RealServiceTestReport

_EXIT_BROKEN = 2


def main(arguments: Sequence[str]) -> int:
    """Write the report and say in one line what is in it.

    Returns:
        0 if the report was written, whatever the tests did: `bazel test` has said that; 2 if it could not be.
    """
    options = _parse(arguments)
    try:
        report = RealServiceTestReport.from_build_events(options.events, options.previous)
        _write(options.output, report.to_html())
        if options.json:
            _write(options.json, report.to_json() + "\n")
    except ReportError as error:
        print(f"report: {error}", file=sys.stderr)
        return _EXIT_BROKEN
    for problem in report.build.problems:
        print(f"report: {options.events}: {problem}", file=sys.stderr)
    counted = [f"{number} {status.replace('_', ' ')}" for status, number in report.counts.items()]
    noun = "test target" if len(report.targets) == 1 else "test targets"
    print(f"{options.output}: {len(report.targets)} {noun}: {', '.join(counted) or 'nothing was tested'}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        # What a log holds may be no text (a lone surrogate from JSON): it must not cost the whole report.
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from error


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/report",
        description="Turns a build event file into one HTML page: what failed and why, services, times, caches.",
        epilog="Run Bazel with --build_event_json_file=FILE first.",
    )
    parser.add_argument("events", type=Path, metavar="BUILD_EVENTS.json", help="what Bazel wrote")
    parser.add_argument(
        "--previous", type=Path, metavar="OLD.json", help="compare with this run: its build event file or report.json"
    )
    parser.add_argument("--output", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON, too")
    return parser.parse_args(arguments)
