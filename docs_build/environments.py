"""Virtual environments of locked packages, made on first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from realservices.system.locks import FileLock

ROOT = Path(__file__).resolve().parent.parent


def locked_python(name: str) -> str:
    """Return the interpreter of an environment with the packages of ``third_party/NAME/requirements.lock``.

    Args:
        name: The folder. ``dev`` is what tools/test uses, too.
    """
    lock, home = _lock(name), environment(name)
    home.parent.mkdir(parents=True, exist_ok=True)
    python = str(home / "bin" / "python")
    with FileLock(f"{home}.lock"):  # Tests in two processes want it at the same time.
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)], check=True)
            (home / "ready").touch()
    return python


def environment(name: str) -> Path:
    """Return the directory of such an environment, whether it is there or not."""
    digest = hashlib.sha256(_lock(name).read_bytes() + sys.version.encode()).hexdigest()[:16]
    return _cache() / f"{name}-{digest}"


def _lock(name: str) -> Path:
    return ROOT / "third_party" / name / "requirements.lock"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("REALSERVICES_CACHE_DIR") or Path(base) / "rules_realservices")
