"""Compare a converted test with its old version: break the code under test in small ways, and see which test notices.

The old version is the twin beside it (mocked_test_x.py of test_x.py, x_test_mocked.py of x_test.py), else the one at
HEAD. Run it where the tests run: in the project, with the Python that has its packages. Nothing is written there.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.control.console import Console

if TYPE_CHECKING:
    import argparse

    from realservices.mocks.verify.mutant_comparison import Comparison
    from realservices.mocks.verify.verify_session import VerifyOptions

HELP = "compare what a converted test and its old version notice of broken code"
_MAX_MUTANTS = 500
_TIME_LIMIT_S = 600.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("tests", nargs="+", type=Path, metavar="TEST", help="the converted test file")
    old = parser.add_mutually_exclusive_group()
    old.add_argument("--old", type=Path, metavar="PATH", help="the old version, a file of the project")
    old.add_argument("--old-revision", metavar="REVISION", help="the old version is the test's at this git revision")
    parser.add_argument(
        "--source", action="append", default=[], type=Path, metavar="PATH",
        help="break only this file or directory; may be repeated. By default all of the project's code that the tests "
        "run, but for tests",
    )  # fmt: skip
    parser.add_argument(
        "--max-mutants", type=_number, default=_MAX_MUTANTS, metavar="NUMBER",
        help="break the code in so many ways at most, spread over it (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--time-limit", type=_seconds, default=_TIME_LIMIT_S, metavar="SECONDS",
        help="begin with no further mutant of a test file after this time (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--mutant-timeout", type=_seconds, metavar="SECONDS",
        help="end a run with a mutant after this time; by default five times what the tests take without it, and 4 s",
    )  # fmt: skip
    parser.add_argument(
        "--pytest-argument", action="append", default=[], metavar="ARGUMENT",
        help="pass this on to pytest, as in --pytest-argument=--import-mode=importlib; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--all", action="store_true", help="list every mutant, and not only those that make a difference"
    )


def run(options: argparse.Namespace) -> int:
    """Compare each of the tests."""
    # The frame knows each command's options without it.
    from realservices.mocks.verify.errors import VerifyError  # noqa: PLC0415
    from realservices.mocks.verify.mutant_comparison import Verdict  # noqa: PLC0415
    from realservices.mocks.verify.verify_session import shared_services, verify  # noqa: PLC0415

    if options.old and len(options.tests) > 1:
        raise VerifyError("--old names the old version of one test file, and there are several")
    # Interrupted as by Ctrl-C, so that nothing is left.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    chosen = _verify_options(options)
    with shared_services():
        found = []
        for test in options.tests:
            found.append(verify(test, chosen, console.progress))
            console.progress("")
            if not options.json:
                _print(console, found[-1], is_long=options.all)
    if options.json:
        _print_json(console, found)
    return EXIT_OK if all(each.verdict is Verdict.OK for each in found) else EXIT_ERROR


def _verify_options(options: argparse.Namespace) -> VerifyOptions:
    from realservices.mocks.verify.trial import Limits  # noqa: PLC0415 - as above
    from realservices.mocks.verify.verify_session import VerifyOptions  # noqa: PLC0415 - as above

    return VerifyOptions(
        old=options.old,
        revision=options.old_revision,
        sources=tuple(options.source),
        max_mutants=options.max_mutants,
        limits=Limits(total_s=options.time_limit, mutant_s=options.mutant_timeout),
        arguments=tuple(options.pytest_argument),
    )


def _print(console: Console, comparison: Comparison, *, is_long: bool) -> None:
    from realservices.mocks.verify.comparison_text import text_of  # noqa: PLC0415 - as above

    for line in text_of(comparison, is_long=is_long):
        console.line(line)
    console.line()


def _print_json(console: Console, found: list[Comparison]) -> None:
    from realservices.mocks.verify.comparison_text import json_of  # noqa: PLC0415 - as above

    console.json({"version": 1, "files": [json_of(each) for each in found]})


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds
