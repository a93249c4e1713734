"""The description of a group that runs: what its services are, for commands in another terminal."""

from __future__ import annotations

import os

from realservices.contract.endpoint_shapes import RUNTIME
from realservices.contract.errors import RealServicesError
from realservices.contract.shapes import check, load_json
from realservices.control.run_record import RunRecord
from realservices.launcher.runtime_file import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import Manifest


class GroupError(RealServicesError):
    """A group that does not run, or was asked for what it has not."""


def group_record(manifest: Manifest, runfiles: str) -> RunRecord:
    """Return the record of a group.

    Args:
        manifest: The group's.
        runfiles: Stands for the workspace that ``bazel run`` was called in where there is none.
    """
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY") or runfiles
    label = manifest.label
    return RunRecord(f"{workspace}\0{label}", label, f"bazel run {label} -- status")


def find_description(label: str, record: RunRecord) -> dict[str, Any] | None:
    """Return the runtime description of the group that runs, or None.

    Raises:
        GroupError: It is just starting.
    """
    run = record.find()
    if not run:
        return None
    if not run.is_up:
        raise GroupError(f"{label} is starting; ask again when its services are ready")
    try:
        return load_description(f"{run.directory}/{FILE}")
    except FileNotFoundError:
        return None  # It is just ending.


def get_description(label: str, record: RunRecord) -> dict[str, Any]:
    """Return the runtime description of the group that runs.

    Raises:
        GroupError: None runs, or it is just starting.
    """
    found = find_description(label, record)
    if not found:
        raise GroupError(f"{label} does not run; start it with `bazel run {label}` in another terminal")
    return found


def load_description(path: str) -> dict[str, Any]:
    """Read a runtime description.

    Raises:
        FileNotFoundError: Its launcher has ended.
        GroupError: It is damaged.
    """
    with open(path, "rb") as file:
        text = file.read()
    try:
        content: dict[str, Any] = load_json(text)
        check(content, RUNTIME)
    except ValueError as error:
        raise GroupError(f"runtime description {path} is damaged: {error}; it is written by the launcher") from None
    return content
