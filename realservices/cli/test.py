"""Run the tests of one level by pytest, which this process becomes.

All other arguments are pytest's: `python -m realservices test --level integration --real-services tests -k login -x`.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import TYPE_CHECKING

from realservices.contract.environment import LEVELS
from realservices.contract.user_variables import REQUIRE
from realservices.dev.settings import USE_REAL_SERVICES, check_switches
from realservices.dev.test_levels import LIMITS_S
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    import argparse

HELP = "run the tests of one level by pytest"
PASSES_ON = True
HAS_JSON = False
EPILOG = "Exit codes: pytest's, among them 0 all passed, 1 some failed, 2 interrupted or wrong usage, 5 no tests found."
_ALL = "all"
_PLUGIN = "realservices.fixtures.plugin"
_NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    import argparse  # noqa: PLC0415 - the frame has it

    limits = ", ".join(f"{level} {limit_s:g} s" for level, limit_s in LIMITS_S.items())
    parser.add_argument(
        "--level", choices=[*LIMITS_S, _ALL], default=_ALL,
        help=f"only tests with this marker; each may take so long: {limits}. By default all tests, marked or not",
    )  # fmt: skip
    parser.add_argument(
        "--real-services", action=argparse.BooleanOptionalAction, default=None,
        help=f"a service that is not there is an error, never a skip; with --no-real-services, tests that ask for one "
        f"are skipped. By default what {USE_REAL_SERVICES} says",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Become pytest."""
    check_switches()
    arguments = list(options.passed_on)
    if options.level != _ALL:
        marked = next((each for each in arguments if each.startswith("-m")), "")
        if marked:
            raise SettingError(f"--level {options.level} selects by marker, and so does {marked}; use one of them")
        arguments = ["-m", options.level, *arguments]
    if options.real_services is not None:
        os.environ[USE_REAL_SERVICES] = "true" if options.real_services else "false"
        if options.real_services:
            os.environ[REQUIRE] = "1"
    os.environ[LEVELS] = "1"
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *_plugin(), *arguments])  # noqa: S606 - as wanted


def _plugin() -> list[str]:
    """Return what loads the plugin where pytest does not by itself, because the package is not installed."""
    installed = any(point.value == _PLUGIN for point in importlib.metadata.entry_points(group="pytest11"))
    return [] if installed and not os.environ.get(_NO_AUTOLOAD) else ["-p", _PLUGIN]
