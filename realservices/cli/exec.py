"""Start this project's services, run a command with them, and end them: any test runner, in any language.

The command finds the services by its environment (docs/environment_variables.md), also under the names of
[tool.realservices.env]. Its exit code is this command's, and nothing is left when it has ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.named_services import services_to_start
from realservices.cli.servers import add_server_options, use_servers
from realservices.contract.errors import RealServicesError
from realservices.dev.errors import PortTakenError, StartupError
from realservices.dev.fixed_ports import pin_ports
from realservices.isolation.isolation_manager import process_manager
from realservices.sources.build_progress import show_builds
from realservices.sources.package import PROJECTS_PYTHON
from realservices.sources.project import project_root
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.sources.services import Services
    from realservices.sources.source import Declared

HELP = "run a command with this project's services, and return its exit code"
HAS_JSON = False
EPILOG = (
    "Exit codes: the command's; 128 and its number for a signal that ended it; 127 there is no such program; 1 a "
    "service does not start; 2 wrong usage."
)
_NO_PROGRAM = 127
_SIGNALLED = 128
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    import argparse  # noqa: PLC0415 - the frame has it

    parser.usage = "%(prog)s [options] [--] COMMAND [ARGUMENT …]"
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME",
        help="start this one, and what it needs; may be repeated. By default all that the project declares",
    )  # fmt: skip
    parser.add_argument(
        "--fixed-ports", action="store_true",
        help="services have the ports that they declare in fixed_ports, for a command in which addresses are written; "
        "it is then alone on this machine",
    )  # fmt: skip
    parser.add_argument(
        "--python", metavar="FILE",
        help="what {python} stands for in the project's declarations; by default the active virtual environment's, "
        "else the interpreter of this command",
    )  # fmt: skip
    add_server_options(parser, "start")
    # Not "command": main.py has this command's own name there, for messages.
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run, with its arguments")


def run(options: argparse.Namespace) -> int:
    """Start, run, end."""
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        print("realservices exec: no command; write it behind --, as in: exec -- npm test", file=sys.stderr)
        return 2
    use_servers(options)
    if python := options.python or _active_python():
        os.environ[PROJECTS_PYTHON] = python
    show_builds()
    manager = process_manager()
    try:
        _start(manager, options.service, has_fixed_ports=options.fixed_ports)
        return _run(manager, command)
    finally:
        manager.close()


def _start(manager: IsolationManager, names: list[str], *, has_fixed_ports: bool) -> None:
    services = manager.services
    wanted = services_to_start(services, names, project_root())
    with contextlib.ExitStack() as stack:
        if has_fixed_ports:
            _pin(services, wanted, stack)
        for service in wanted:
            services.endpoint(service.kind, service.name)
    services.start()


def _pin(services: Services, wanted: Sequence[Declared], stack: contextlib.ExitStack) -> None:
    if services.embedded is None:
        return
    found = (services.embedded.declaration(each.name) for each in wanted)
    if not any(each and "fixed_ports" in each.values for each in found):
        raise RealServicesError(
            f"--fixed-ports, and none of {', '.join(each.name for each in wanted)} declares a port: write "
            "fixed_ports = { NAME = PORT } into its table (docs/command_line.md)"
        )
    try:
        pin_ports(services, wanted, [], stack)
    except PortTakenError as error:
        raise StartupError(f"{error}. Here that is `exec` without --fixed-ports") from None


def _run(manager: IsolationManager, command: list[str]) -> int:
    program = shutil.which(command[0])
    if program is None:
        print(f"realservices exec: there is no program {command[0]!r}, here or on PATH", file=sys.stderr)
        return _NO_PROGRAM
    child = subprocess.Popen([program, *command[1:]], env=own_environment())
    with _signals_passed_on(child):
        code = child.wait()
    for failure in manager.services.embedded.failures() if manager.services.embedded else ():
        print(f"realservices exec: {failure}", file=sys.stderr)
    return code if code >= 0 else _SIGNALLED - code


@contextlib.contextmanager
def _signals_passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """While a command runs, signals are its business: Ctrl-C reaches it by itself, others are passed on."""

    def pass_on(number: int, _: object) -> None:
        if number in _FORWARDED:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, *_FORWARDED)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _active_python() -> str:
    """Return the active virtual environment's interpreter, "" where that is ours."""
    active = os.environ.get("VIRTUAL_ENV", "")
    python = Path(active, "bin", "python")
    if not active or not python.exists() or Path(active).resolve() == Path(sys.prefix).resolve():
        return ""
    return str(python)
