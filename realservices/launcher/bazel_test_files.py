"""The files by which Bazel and a test program tell each other how a test action went.

Source: "Test encyclopedia" of the Bazel documentation, and tools/test/test-setup.sh of Bazel.
"""

from __future__ import annotations

import os

from realservices.contract.environment import PREMATURE_EXIT
from realservices.contract.user_variables import LOGS
from realservices.system.bazel_files import cannot, write_file
from realservices.system.writing import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.errors import InfrastructureError

_CHUNK_BYTES = 1 << 20


def mark_unfinished() -> None:
    """Create the premature-exit file, by which Bazel knows of a launcher that ends in the middle of its work.

    The program has such a file of its own, see tested_program.py.
    """
    path = os.environ.get(PREMATURE_EXIT)
    if path:
        write_file(path, "")


def mark_finished() -> None:
    """Remove the premature-exit file."""
    path = os.environ.get(PREMATURE_EXIT)
    try:
        if path and os.path.exists(path):
            os.unlink(path)
    except OSError as error:
        cannot("remove the premature-exit file, so that Bazel takes the test for one that was cut short", error)


def write_infrastructure_failure(error: InfrastructureError) -> None:
    """Tell Bazel that the machine failed, not the test: the component on line 1, the reason on line 2."""
    path = os.environ.get("TEST_INFRASTRUCTURE_FAILURE_FILE")
    if path:
        reason = error.reason.replace("\n", " ")
        write_file(path, f"{error.component}\n{reason}\n")


def wants_logs() -> bool:
    """Return whether logs are to be kept for a test that passes, too (``--test_env=REALSERVICES_LOGS=always``).

    Not the default: Bazel starts several processes for each file that a test leaves behind.
    """
    return os.environ.get(LOGS) == "always"


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
        write_file(f"{directory}/{name}", text)


def _copy(path: str, target: str) -> None:
    try:
        with open(path, "rb", buffering=0) as source, open(target, "wb", buffering=0) as copy:
            while chunk := source.read(_CHUNK_BYTES):
                write_all(copy.fileno(), chunk)
    except OSError as error:
        error.filename = error.filename or target
        cannot(f"keep {os.path.basename(path)} whole", error)
