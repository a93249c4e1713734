"""Whether a converted file can be imported: in a child process, so that what it does there reaches nothing here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_TIMEOUT_S = 60
_PROGRAM = """
import importlib.util, sys
name, file = sys.argv[1:3]
spec = importlib.util.spec_from_file_location(name, file)
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
spec.loader.exec_module(module)
"""


def import_problem(text: str, name: str, path: Path, root: Path) -> str:
    """Return why a text cannot be imported as a file, "" where it can.

    Args:
        text: The file's new text.
        name: The module's dotted name.
        path: Where the file lies: its directory is one that it imports from.
        root: The project's directory.
    """
    places = [str(each) for each in (root, root / "src", path.parent)]
    known = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*places, *([known] if known else [])])}
    with tempfile.TemporaryDirectory(prefix="realservices-import-") as directory:
        file = Path(directory, path.name)
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", _PROGRAM, name, str(file)]
        try:
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"its import did not end within {_TIMEOUT_S} s"
    lines = done.stderr.strip().splitlines()
    return (lines[-1] if lines else f"exit code {done.returncode}") if done.returncode else ""
