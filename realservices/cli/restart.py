"""Stop a running service and start it again, from a second terminal: on the same ports, with what it keeps on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_OK
from realservices.cli.steered import control_of
from realservices.control.console import Console
from realservices.control.steering import restart

if TYPE_CHECKING:
    import argparse

HELP = "stop a running service and start it again"
HAS_JSON = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("service", metavar="SERVICE")


def run(options: argparse.Namespace) -> int:
    """Restart it."""
    ready_ms = restart(control_of(options.service), options.service)
    Console().line(f"{options.service} is ready in {ready_ms:.0f} ms")
    return EXIT_OK
