"""Where the mock-based original of a converted test file is kept: the plugin runs it, the scan leaves it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def twin_of(path: Path) -> Path:
    """Return where the original of a converted test file is kept."""
    stem = path.stem
    return path.with_name(f"{stem}_mocked.py" if stem.endswith("_test") else f"mocked_{stem}.py")
