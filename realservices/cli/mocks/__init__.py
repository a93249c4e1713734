"""Find the mocks of a test suite, grade them, convert them to real services, and prove that the tests still test.

See docs/mocks.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "move tests from mocks to real services"
HAS_JSON = False  # Each of its commands has its own.
COMMANDS: tuple[str, ...] = ("scan", "convert", "build", "verify", "status")
"""Names of its commands, and of their modules here: each has `HELP`, `add_options(parser)` and `run(options)`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the commands and their options."""
    subparsers = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"realservices.cli.mocks.{name}")
        own = subparsers.add_parser(name, help=module.HELP, description=module.__doc__)
        own.formatter_class = parser.formatter_class
        module.add_options(own)
        own.add_argument("--json", action="store_true", help="print JSON instead of text (docs/command_line.md)")
        own.set_defaults(run_subcommand=module.run)


def run(options: argparse.Namespace) -> int:
    """Run the command that the options name."""
    code: int = options.run_subcommand(options)
    return code
