"""Virtual environments of locked packages, made on first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def locked_python(name: str) -> str:
    """Return the interpreter of an environment with the packages of ``third_party/NAME/requirements.lock``.

    Args:
        name: The folder. ``dev`` is what tools/test uses, too.
    """
    lock = ROOT / "third_party" / name / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = _cache() / f"{name}-{digest}"
    python = str(home / "bin" / "python")
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)], check=True)
        (home / "ready").touch()
    return python


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REALSERVICES_CACHE_DIR") or Path(base) / "rules_realservices")
