"""Which of the imported modules are the project's, and which are others', so that no mutant is in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import realservices

OURS = os.path.dirname(os.path.realpath(realservices.__file__))  # noqa: PTH120 - a text, compared with many
"""This package, which is nobody's code under test."""


def other_modules(root: str) -> list[str]:
    """Return the names of imported modules with a file outside of the project, in the order of their import."""
    return [name for name, module in list(sys.modules.items()) if _file(name, module) and is_others(module, root)]


def is_others(module: Any, root: str) -> bool:
    """Return whether a module is from outside of the project, which includes what has no file."""
    file = _file("", module)
    path = os.path.realpath(file)
    if not file or "site-packages" in path or path.startswith(f"{OURS}/"):
        return True
    return not path.startswith((f"{root}/", f"{Path.cwd()}/"))


def _file(name: str, module: Any) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) and name != "__main__" else ""
