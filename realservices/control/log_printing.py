"""A second terminal prints what a service has written, and what it writes from now on.

On a terminal, control characters are shown as text, except for colours. A file or a pipe gets what the service wrote.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import TYPE_CHECKING

from realservices.contract.shapes import whole_number
from realservices.control.console import forget_output
from realservices.system.terminal_text import as_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.control.log_files import LogFile

_PAUSE_S = 0.1


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Declare which service, and how much of its log."""
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("-n", "--lines", type=_count, metavar="LINES", help="only the last lines; by default all")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on until the service's launcher ends, or Ctrl-C"
    )


def print_log(log: LogFile, options: argparse.Namespace, is_running: Callable[[], bool]) -> None:
    """Print it as the options say, and close it.

    Args:
        log: The service's.
        options: See `add_log_options`.
        is_running: Returns whether the process that runs the service still does.

    Raises:
        KeyboardInterrupt: Ctrl-C has ended it.
    """
    interrupted: list[int] = []
    if options.follow:
        # Not as an exception: Python forgets one that is raised while it calls back for itself, and this would go on.
        signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        _print(log.last_lines(options.lines))
        while options.follow and is_running():
            _print(log.new_lines())
            time.sleep(_PAUSE_S)
            if interrupted:
                raise KeyboardInterrupt
        _print([*log.new_lines(), *log.rest()])
    except BrokenPipeError:
        forget_output(sys.stdout)  # The reader has enough.
    finally:
        log.close()


def _print(lines: list[str]) -> None:
    if lines:
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.write(as_output(text.replace("\r\n", "\n")) if sys.stdout.isatty() else text)
        sys.stdout.flush()


def _count(text: str) -> int:
    count = whole_number(text)
    if count is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return count
