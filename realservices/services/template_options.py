"""What the command lines of all template tools share: options, and how they end."""

from __future__ import annotations

import argparse
import sys

from realservices.contract.errors import RealServicesError
from realservices.system.os_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def name_value(text: str) -> tuple[str, str]:
    """Split NAME=VALUE, an argument of the tools.

    Raises:
        ArgumentTypeError: There is no ``=``.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def template_parser(kind: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options of every template tool; each adds those of its server and of its other files."""
    parser = argparse.ArgumentParser(prog=f"{kind}_template", description=description)
    parser.add_argument("--label", required=True, help=f"label of the {kind}_service, or of its server, for messages")
    parser.add_argument("--database", default="test", help="database that programs are given")
    parser.add_argument("--user", default="test", help="user that programs connect as")
    parser.add_argument("--seed", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--setting", type=name_value, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--output", required=True, help="archive to write")
    parser.add_argument("--info", required=True, help="its description to write, JSON")
    parser.add_argument("--contents", default="", help="file to write what is in the tables to, row by row")
    parser.add_argument("--lifeline", type=int, default=-1, help="a pipe; its end is this tool's")
    return parser


def run_build(
    options: argparse.Namespace,
    build: Callable[[argparse.Namespace], None],
    remedy: Callable[[str], str] = lambda _: "",
) -> int:
    """Build a template, or say why that cannot be; return the exit code.

    Args:
        options: The tool's, with a ``label``.
        build: Builds.
        remedy: What to add to an error.
    """
    try:
        build(options)
    except RealServicesError as error:
        print(f"{options.label}: {error}{remedy(str(error))}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.label}: {explain(error, 'the template cannot be built')}", file=sys.stderr)
        return 1
    return 0
