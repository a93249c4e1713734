"""The files of a test action that the launcher and the test program both read from Bazel or write for it.

Source: "Test encyclopedia" of the Bazel documentation.
"""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import ManifestError
from realservices.contract.manifest import parse_manifest
from realservices.system.os_errors import explain, is_lack
from realservices.system.writing import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest


def load_manifest(path: str) -> Manifest:
    """Read a manifest file.

    Raises:
        ManifestError: It is missing, or damaged.
        InfrastructureError: The machine lacks what it takes to open a file.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        if is_lack(error):
            raise explain(error, f"cannot read manifest {path}") from None
        raise ManifestError(
            f"cannot read manifest {path}: {error.strerror}; build the target with Bazel first"
        ) from None
    return parse_manifest(path, text)


def advertise_shards() -> None:
    """Tell Bazel that the program runs its shard only; without it a sharded test fails."""
    path = os.environ.get("TEST_SHARD_STATUS_FILE")
    if path:
        write_file(path, "", os.O_APPEND)


def tell_warnings(warnings: list[str]) -> None:
    """Add warnings to those that Bazel shows beside the test's result; empty ones are left out."""
    path = os.environ.get("TEST_WARNINGS_OUTPUT_FILE")
    for text in filter(None, warnings):
        if path:
            write_file(path, text + "\n", os.O_APPEND)


def note(text: str) -> None:
    """Say something beside the test's output; it is of no effect where that takes no more."""
    try:
        print(f"realservices: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass


def cannot(doing: str, error: OSError) -> None:
    """Say what could not be done. It may neither make a test that passes fail, nor one that fails pass."""
    note(str(explain(error, f"cannot {doing}")))


def write_file(path: str, text: str, flag: int = os.O_TRUNC) -> None:
    """Write a text; with ``os.O_APPEND`` as ``flag``, add it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o644)
        try:
            write_all(descriptor, text.encode(errors="replace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        error.filename = error.filename or path
        cannot(f"write {os.path.basename(path)}", error)
