"""The frame of the command line: one subcommand for each module in `COMMANDS`.

A command is a module here with `HELP` (one line), `add_options(parser)` and `run(options) -> exit code`. It may have
`PASSES_ON` (arguments that it does not know are its `options.passed_on`), `HAS_JSON = False` and an `EPILOG`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from realservices import __version__
from realservices.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_UNREAD
from realservices.contract.errors import RealServicesError
from realservices.control.console import forget_output
from realservices.system.os_errors import explain, explain_thread
from realservices.system.terminal_text import as_output

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    *("up", "status", "logs", "restart", "stop", "exec", "test", "init", "doctor", "validate", "fetch", "clean"),
    "migrate",
)
"""Names of the commands, and of their modules."""
_MODULES = {"migrate": "mocks"}
"""Those whose modules are called otherwise: a migrator is what makes a schema, everywhere but on this command line."""

_LACKS = "the machine does not give what the command needs"
# What `threading` says, in a RuntimeError without a number.
_NO_THREAD = "can't start new thread"
_EPILOG = "Exit codes: 0 all is well (there may be warnings), 1 something is wrong, 2 wrong usage, 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code.

    Args:
        arguments: Without the program's name; by default those of this process.
    """
    options = _options(arguments)
    # `bazel run` starts programs among their runfiles; projects and paths are meant from where the user stands.
    if directory := os.environ.get("BUILD_WORKING_DIRECTORY"):
        os.chdir(directory)
    try:
        code: int = options.run(options)
    except RealServicesError as error:
        return _told(options.command, error)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        forget_output(sys.stdout)  # The reader, such as `head`, has enough.
        return EXIT_UNREAD
    except OSError as error:
        return _lacks(options.command, explain(error, _LACKS))
    except RuntimeError as error:
        if _NO_THREAD not in str(error):
            raise
        return _lacks(options.command, explain_thread(_LACKS))
    return code


def _lacks(command: str, error: RealServicesError) -> int:
    # Half an event loop, say, complains with a traceback when it is thrown away; the cause is told here.
    sys.unraisablehook = lambda _: None
    return _told(command, error)


def _told(command: str, error: RealServicesError) -> int:
    print(as_output(f"realservices {command}: {error}"), file=sys.stderr)
    return EXIT_ERROR


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Each command imports what it works with: the others' is wanted only where all are listed.
    parser = _parser(words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS)
    options, unknown = parser.parse_known_args(words)
    if unknown and not options.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    options.passed_on = unknown
    return options


def _parser(commands: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="realservices", description="Real services for tests: tools for this machine.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"realservices {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in commands:
        module = importlib.import_module(f"realservices.cli.{_MODULES.get(name, name)}")
        passes_on = getattr(module, "PASSES_ON", False)
        epilog = getattr(module, "EPILOG", _EPILOG)
        # What is passed on must not be taken for the beginning of an option here.
        own = subparsers.add_parser(
            name, help=module.HELP, description=module.__doc__, epilog=epilog, allow_abbrev=not passes_on
        )
        own.formatter_class = argparse.RawDescriptionHelpFormatter
        module.add_options(own)
        if getattr(module, "HAS_JSON", True):
            own.add_argument("--json", action="store_true", help="print JSON instead of text (docs/command_line.md)")
        own.set_defaults(run=module.run, passes_on=passes_on)
    return parser
