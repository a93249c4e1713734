"""The scan that several commands begin with: its options, its progress, what it says of a wrong path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.mocks.project_root import project_around
from realservices.mocks.scan import scan_tree

if TYPE_CHECKING:
    import argparse

    from realservices.control.console import Console
    from realservices.mocks.scan_model import Suite


class NothingToScanError(RealServicesError):
    """A path that is to be scanned is not there."""


def add_path_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is scanned."""
    parser.add_argument(
        "path", nargs="?", type=Path, default=Path(), metavar="PATH", help="tests to scan: a file or a directory (.)"
    )
    parser.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="where patched names are looked up (the nearest directory upwards with a project's file)",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes to scan with (one for each processor)")


def scanned(options: argparse.Namespace, console: Console) -> Suite:
    """Scan what the options name, with progress on a terminal.

    Raises:
        NothingToScanError: It is not there, or lies outside of the project.
    """
    path = options.path.resolve()
    if not path.exists():
        raise NothingToScanError(f"{options.path} is not there; name a directory of tests, or one test file")
    root = options.project.resolve() if options.project else project_around(path)
    if not path.is_relative_to(root):
        raise NothingToScanError(f"{path} lies outside of the project {root}; name a --project that it lies in")

    def progress(done: int, total: int) -> None:
        console.progress(f"scanned {done} of {total} files")

    suite = scan_tree(root, below=path, progress=progress, processes=options.jobs)
    console.progress("")
    return suite
