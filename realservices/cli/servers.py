"""Options that name the servers to start: `bazel run` of a command brings Bazel's own by them (tools/BUILD.bazel)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_server_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare them.

    Args:
        parser: The command's.
        verb: What the command does with such a server.
    """
    parser.add_argument("--postgres", metavar="DIRECTORY", help=f"{verb} this PostgreSQL (bin, lib and share)")
    parser.add_argument("--redis", metavar="FILE", help=f"{verb} this redis-server")


def use_servers(options: argparse.Namespace) -> None:
    """Have sessions of this process start the servers that are named."""
    for variable, path in (("REALSERVICES_POSTGRES", options.postgres), ("REALSERVICES_REDIS", options.redis)):
        if path:
            os.environ[variable] = str(Path(path).absolute())
