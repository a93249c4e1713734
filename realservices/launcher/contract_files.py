"""The files by which Bazel and a test program tell each other how a test action went.

Source: "Test encyclopedia" of the Bazel documentation, and tools/test/test-setup.sh of Bazel.
"""

from __future__ import annotations

import os
import sys

from realservices.contract.environment import PREMATURE_EXIT
from realservices.contract.resources import explain
from realservices.host.archive import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.errors import InfrastructureError

_CHUNK_BYTES = 1 << 20


def mark_unfinished() -> None:
    """Create the premature-exit file, by which Bazel knows of a launcher that ends in the middle of its work.

    The program has such a file of its own, see program.py.
    """
    path = os.environ.get(PREMATURE_EXIT)
    if path:
        _write(path, "")


def mark_finished() -> None:
    """Remove the premature-exit file."""
    path = os.environ.get(PREMATURE_EXIT)
    try:
        if path and os.path.exists(path):
            os.unlink(path)
    except OSError as error:
        _cannot("remove the premature-exit file, so that Bazel takes the test for one that was cut short", error)


def advertise_shards() -> None:
    """Tell Bazel that the program runs its shard only; without it a sharded test fails."""
    path = os.environ.get("TEST_SHARD_STATUS_FILE")
    if path:
        _write(path, "", os.O_APPEND)


def tell_warnings(warnings: list[str]) -> None:
    """Add warnings to those that Bazel shows beside the test's result; empty ones are left out."""
    path = os.environ.get("TEST_WARNINGS_OUTPUT_FILE")
    for text in filter(None, warnings):
        if path:
            _write(path, text + "\n", os.O_APPEND)


def write_infrastructure_failure(error: InfrastructureError) -> None:
    """Tell Bazel that the machine failed, not the test: the component on line 1, the reason on line 2."""
    path = os.environ.get("TEST_INFRASTRUCTURE_FAILURE_FILE")
    if path:
        reason = error.reason.replace("\n", " ")
        _write(path, f"{error.component}\n{reason}\n")


def wants_logs() -> bool:
    """Say whether logs are to be kept for a test that passes, too (``--test_env=REALSERVICES_LOGS=always``).

    Not the default: Bazel starts several processes for each file that a test leaves behind.
    """
    return os.environ.get("REALSERVICES_LOGS") == "always"


def keep_logs(paths: list[str]) -> None:
    """Copy logs to the directory whose files Bazel keeps with the test's results (undeclared outputs)."""
    directory = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    if not directory or not os.path.isdir(directory):
        return
    for path in paths:
        if os.path.exists(path):
            _copy(path, f"{directory}/{os.path.basename(path)}")


def keep_text(name: str, text: str) -> None:
    """Write a file of ours beside the logs that are kept."""
    directory = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    if directory and os.path.isdir(directory):
        _write(f"{directory}/{name}", text)


def note(text: str) -> None:
    """Say something beside the test's output; it is of no effect where that takes no more."""
    try:
        print(f"realservices: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass


def _cannot(doing: str, error: OSError) -> None:
    # Neither may make a test that passes fail, nor one that fails pass.
    note(str(explain(error, f"cannot {doing}")))


def _copy(path: str, target: str) -> None:
    try:
        with open(path, "rb", buffering=0) as source, open(target, "wb", buffering=0) as copy:
            while chunk := source.read(_CHUNK_BYTES):
                write_all(copy.fileno(), chunk)
    except OSError as error:
        error.filename = error.filename or target
        _cannot(f"keep {os.path.basename(path)} whole", error)


def _write(path: str, text: str, flag: int = os.O_TRUNC) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o644)
        try:
            write_all(descriptor, text.encode(errors="replace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        error.filename = error.filename or path
        _cannot(f"write {os.path.basename(path)}", error)
