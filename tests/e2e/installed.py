"""The package as `pip install` brings it: a virtual environment with the built wheel and the pinned servers."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from tests.scratch import HOST, ROOT

_LOCK = ROOT / "third_party" / "python" / "requirements.lock"
_TIMEOUT_S = 300


class Environment:
    """A virtual environment. This interpreter's pip installs into it, which saves installing pip.

    Args:
        directory: Where it lies, as "venv".

    Attributes:
        python: Its interpreter.
    """

    def __init__(self, directory: Path) -> None:
        # With links, as `python -m venv` makes it.
        venv.create(directory / "venv", symlinks=True, with_pip=False)
        self.python = str(directory / "venv" / "bin" / "python")
        self._directory = directory

    def install(self, *arguments: str) -> None:
        """Install."""
        pip("--python", self.python, "install", *arguments)

    def install_pinned(self, *requirements: str, locks: tuple[Path, ...] = ()) -> None:
        """Install by hash, all at once: each run of pip takes its time.

        Args:
            requirements: Lines of a file of requirements.
            locks: More such files.
        """
        file = self._directory / "pinned.txt"
        file.write_text("".join(requirements), encoding="utf-8")
        files = [word for each in (*locks, file) for word in ("-r", str(each))]
        # The files name everything, and some of the servers would bring libraries that nothing here needs.
        self.install("--no-deps", "--require-hashes", *files)

    @property
    def environment(self) -> dict[str, str]:
        """A developer's environment, with a cache of its own."""
        return environment(self._directory)


class Installed(Environment):
    """A virtual environment with the built wheel, libraries and the pinned servers.

    Args:
        directory: Where it lies.
        lock: The libraries. Those that the ruleset pins, if none is given.
        more: More that is locked.
        requirements: The same, by its lines.
    """

    def __init__(self, directory: Path, lock: Path = _LOCK, *more: Path, requirements: tuple[str, ...] = ()) -> None:
        super().__init__(directory)
        self.install_pinned(*package_and_servers(), *requirements, locks=(lock, *more))

    def pytest(self, project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run pytest in a project."""
        ours = ("-m", "pytest", "-p", "no:cacheprovider", "-W", "error")
        return self.run(*ours, *arguments, directory=project, **variables)

    def run(self, *arguments: str, directory: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the interpreter."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=directory,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )


class InstalledHere(Environment):
    """The same with this interpreter's libraries, those of third_party/dev, and with no copy of them.

    Args:
        directory: Where it lies.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.install_pinned(*package_and_servers())
        (site,) = (directory / "venv").glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


def package_and_servers() -> tuple[str, ...]:
    """Return the requirements of what this repository makes, built, and of the servers."""
    wheel = built_wheel()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return pinned("postgres"), pinned("redis"), f"rules-realservices @ {wheel.as_uri()} --hash=sha256:{digest}\n"


@functools.cache
def built_wheel() -> Path:
    """Return the wheel of what this repository makes, built once for all modules of tests."""
    directory = tempfile.mkdtemp(prefix="rules_realservices-wheel-")
    atexit.register(shutil.rmtree, directory)
    pip("wheel", "--no-deps", "--wheel-dir", directory, str(ROOT))
    (wheel,) = Path(directory).glob("*.whl")
    return wheel


def pip(*arguments: str) -> None:
    """Run pip."""
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


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
