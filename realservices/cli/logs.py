"""Print what a service has written, from a second terminal; with --follow, also what it writes from now on.

On a terminal, what would steer it is shown as text; colours stay. A file or a pipe gets what the service wrote.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_OK
from realservices.cli.places import discovery_directory
from realservices.contract.errors import RealServicesError
from realservices.contract.shapes import whole_number
from realservices.contract.terminal_text import as_output
from realservices.control.console import forget_output
from realservices.control.log_files import LogFile
from realservices.dev.discovery import ServiceDiscovery
from realservices.sources.project import project_root
from realservices.system.processes import is_alive

if TYPE_CHECKING:
    import argparse

    from realservices.dev.discovery import ServiceInfo

HELP = "print what a service has written"
HAS_JSON = False
_PAUSE_S = 0.1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("-n", "--lines", type=_count, metavar="LINES", help="only the last lines; by default all")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on until the service's launcher ends, or Ctrl-C"
    )


def run(options: argparse.Namespace) -> int:
    """Print it."""
    info = ServiceDiscovery(discovery_directory(project_root())).read(options.service)
    log = _opened(info)
    interrupted: list[int] = []
    if options.follow:
        # Not as an exception: Python forgets one that is raised while it calls back for itself, and this would go on.
        signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        _print(log.last_lines(options.lines))
        while options.follow and is_alive(info.pid, info.started):
            _print(log.new_lines())
            time.sleep(_PAUSE_S)
            if interrupted:
                raise KeyboardInterrupt
        _print([*log.new_lines(), *log.rest()])
    except BrokenPipeError:
        forget_output(sys.stdout)  # Whoever has read has enough.
    finally:
        log.close()
    if options.follow:
        print(f"realservices logs: process {info.pid}, which started {info.name!r}, has ended", file=sys.stderr)
    return EXIT_OK


def _opened(info: ServiceInfo) -> LogFile:
    if not info.log:
        raise RealServicesError(
            f"service {info.name!r} at {info.host}:{info.port} was not started here: whoever runs it has its log"
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


def _print(lines: list[str]) -> None:
    if lines:
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.write(as_output(text.replace("\r\n", "\n")) if sys.stdout.isatty() else text)
        sys.stdout.flush()


def _count(text: str) -> int:
    import argparse  # noqa: PLC0415 - the frame has it

    count = whole_number(text)
    if count is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return count
