"""The files by which Bazel and a test program tell each other how a test action went.

Source: "Test encyclopedia" of the Bazel documentation, and tools/test/test-setup.sh of Bazel.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.errors import InfrastructureError


def mark_unfinished() -> None:
    """Create the premature-exit file: a program that exits with 0 in the middle of its tests must not pass."""
    path = os.environ.get("TEST_PREMATURE_EXIT_FILE")
    if path:
        _write(path, "")


def mark_finished() -> None:
    """Remove the premature-exit file."""
    path = os.environ.get("TEST_PREMATURE_EXIT_FILE")
    if path and os.path.exists(path):
        os.unlink(path)


def write_warning(text: str) -> None:
    """Add a warning to those that Bazel shows beside the test's result."""
    path = os.environ.get("TEST_WARNINGS_OUTPUT_FILE")
    if path:
        _write(path, text + "\n", os.O_APPEND)


def write_infrastructure_failure(error: InfrastructureError) -> None:
    """Tell Bazel that the machine failed, not the test: the component on line 1, the reason on line 2."""
    path = os.environ.get("TEST_INFRASTRUCTURE_FAILURE_FILE")
    if path:
        reason = error.reason.replace("\n", " ")
        _write(path, f"{error.component}\n{reason}\n")


def undeclared_outputs() -> str | None:
    """Return the directory whose files Bazel keeps with the test's results, or None outside of Bazel."""
    path = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    return path if path and os.path.isdir(path) else None


def _write(path: str, text: str, flag: int = os.O_TRUNC) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
