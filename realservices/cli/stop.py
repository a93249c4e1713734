"""Stop a running service, from a second terminal, until `restart` starts it again; the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_OK
from realservices.cli.steered import control_of
from realservices.control.console import Console
from realservices.control.steering import stop

if TYPE_CHECKING:
    import argparse

HELP = "stop a running service, until `restart` starts it again"
HAS_JSON = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("service", metavar="SERVICE")


def run(options: argparse.Namespace) -> int:
    """Stop it."""
    stop(control_of(options.service), options.service)
    Console().line(f"{options.service} is stopped")
    return EXIT_OK
