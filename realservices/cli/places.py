"""Where this project's discovery files and the record of its `up` are, for the commands that write and read them."""

from __future__ import annotations

import os
from pathlib import Path

from realservices.contract.user_variables import DISCOVERY_DIR
from realservices.control.run_record import RunRecord
from realservices.dev.discovery import DIRECTORY


def discovery_directory(root: Path) -> Path:
    """Return what REALSERVICES_DISCOVERY_DIR names, else the project's own directory, wherever one stands in it."""
    return Path(os.environ.get(DISCOVERY_DIR) or root / DIRECTORY)


def up_record(root: Path) -> RunRecord:
    """Return the record of a project's `up`."""
    project = root.resolve()
    return RunRecord(f"{project}\0up", f"`up` of {project}", "python -m realservices status")
