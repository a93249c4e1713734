"""The runtime description of a test action (contract/runtime.py reads it), with passwords, for its owner only."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import Manifest
    from realservices.host.launcher_directories import LauncherDirectories


FILE = "runtime.json"
"""What it is called in the launcher's private directory."""


def write_runtime_file(
    path: str,
    manifest: Manifest,
    directories: LauncherDirectories,
    control_path: str,
    endpoints: dict[str, dict[str, Any]],
) -> None:
    """Write it; nobody has done so before."""
    content = {
        "version": 1,
        "label": manifest.label,
        "control": control_path,
        "sandbox": directories.root,
        "private": directories.private,
        "isolation": manifest.isolation,
        "services": endpoints,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
