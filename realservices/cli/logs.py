"""Print what a service has written, from a second terminal; with --follow, also what it writes from now on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_OK
from realservices.cli.places import discovery_directory
from realservices.contract.errors import RealServicesError
from realservices.control.log_files import LogFile
from realservices.control.log_printing import add_log_options, print_log
from realservices.dev.discovery import ServiceDiscovery
from realservices.sources.project import project_root
from realservices.system.process_ids import is_alive

if TYPE_CHECKING:
    import argparse

    from realservices.dev.discovery import ServiceInfo

HELP = "print what a service has written"
HAS_JSON = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_log_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    info = ServiceDiscovery(discovery_directory(project_root())).read(options.service)
    print_log(_opened(info), options, lambda: is_alive(info.pid, info.started))
    if options.follow:
        print(f"realservices logs: process {info.pid}, which started {info.name!r}, has ended", file=sys.stderr)
    return EXIT_OK


def _opened(info: ServiceInfo) -> LogFile:
    if not info.log:
        raise RealServicesError(
            f"service {info.name!r} at {info.host}:{info.port} was not started here: its log is where it was started"
        )
    try:
        return LogFile(Path(info.log))
    except OSError as error:
        gone = not is_alive(info.pid, info.started)
        why = f"process {info.pid}, which started it, has ended, and its log went with it" if gone else error.strerror
        raise RealServicesError(
            f"service {info.name!r} has no log any more at {info.log}: {why}. "
            "`python -m realservices up` starts it again"
        ) from None
