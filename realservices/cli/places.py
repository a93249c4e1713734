"""Where this project's discovery files are, for the commands that write and read them."""

from __future__ import annotations

import os
from pathlib import Path

from realservices.dev.discovery import DIRECTORY, VARIABLE


def discovery_directory(root: Path) -> Path:
    """Return what REALSERVICES_DISCOVERY_DIR names, else the project's own directory, wherever one stands in it."""
    return Path(os.environ.get(VARIABLE) or root / DIRECTORY)
