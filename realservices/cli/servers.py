"""Options that name the servers to start: `bazel run` of a command brings Bazel's own by them (tools/BUILD.bazel)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.kinds.registry import find, names

if TYPE_CHECKING:
    import argparse

    from realservices.kinds.kind import Kind


def add_server_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Declare them, one for each kind whose program a user can name.

    Args:
        parser: The command's.
        verb: What the command does with such a server.
    """
    for kind in _kinds():
        parser.add_argument(f"--{kind.name}", metavar="PATH", help=f"{verb} this {kind.program}")


def use_servers(options: argparse.Namespace) -> None:
    """Have sessions of this process start the servers that are named."""
    for kind in _kinds():
        if path := getattr(options, kind.name):
            os.environ[kind.program_variable] = str(Path(path).absolute())


def _kinds() -> list[Kind]:
    return [kind for kind in map(find, names()) if kind.program_variable]
