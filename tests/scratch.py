"""A scratch Bazel workspace that uses the ruleset as a stranger would, and wheels that need no network."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# This machine's processor in the tags of Linux wheels, and its name in //third_party:platforms.bzl.
HOST_CPU = platform.machine()
HOST = "linux_" + {"aarch64": "arm64"}.get(HOST_CPU, HOST_CPU)

_MODULE = """\
module(name = "scratch")
bazel_dep(name = "rules_realservices", version = "0.1.0")
local_path_override(module_name = "rules_realservices", path = "{root}")
realservices = use_extension("@rules_realservices//rules:extensions.bzl", "realservices")
"""


class Workspace:
    """A workspace in one directory, whose MODULE.bazel each test writes anew."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._bazel = shlex.split(os.environ.get("BAZEL", str(ROOT / "tools" / "bazelw")))

    def write(self, path: str, text: str) -> Path:
        """Write a file below the workspace and return its path."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def module(self, text: str) -> None:
        """Write MODULE.bazel: the ruleset, its extension as `realservices`, then `text`."""
        self.write("MODULE.bazel", _MODULE.format(root=ROOT) + text)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a Bazel, for who runs it in a way of his own."""
        return [*self._bazel, *arguments]

    def bazel(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run Bazel in the workspace."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def end(self) -> None:
        """End Bazel's server, and remove what it wrote outside of the workspace: some 200 MB."""
        self.output_of("clean", "--expunge")

    def error_of(self, *arguments: str) -> str:
        """Run Bazel, which must fail, and return what it says."""
        done = self.bazel(*arguments)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stderr

    def output_of(self, *arguments: str) -> str:
        """Run Bazel, which must succeed, and return its standard output."""
        done = self.bazel(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


def cache_directory() -> Path:
    """Return the directory that tools/bazelw keeps its things in; its root filesystem sees it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(os.environ.get("REALSERVICES_CACHE_DIR") or Path(base) / "rules_realservices")
    path.mkdir(parents=True, exist_ok=True)
    return path


def copy_of_the_example(directory: Path) -> Workspace:
    """Return a copy of examples/monorepo that tests may change."""
    shutil.copytree(
        ROOT / "examples" / "monorepo", directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("bazel-*")
    )
    workspace = Workspace(directory)
    module = (directory / "MODULE.bazel").read_text(encoding="utf-8")
    workspace.write("MODULE.bazel", module.replace('path = "../.."', f'path = "{ROOT}"'))
    return workspace


class Index:
    """A directory of wheels that pip can be told to use as its only index."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(
        self, name: str, version: str, files: dict[str, str], *, tag: str = "py3-none-any", requires: str = ""
    ) -> str:
        """Write a wheel; names that end in `*` are executable. Return its SHA-256."""
        info = f"{name}-{version}.dist-info/"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
        wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
        members = files | {info + "METADATA": metadata, info + "WHEEL": wheel, info + "RECORD": ""}
        path = self.directory / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                entry = zipfile.ZipInfo(member.rstrip("*"))
                entry.external_attr = (0o755 if member.endswith("*") else 0o644) << 16
                archive.writestr(entry, content)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @property
    def options(self) -> list[str]:
        """Bazel options with which repository rules see this index only."""
        return ["--repo_env=PIP_NO_INDEX=1", f"--repo_env=PIP_FIND_LINKS={self.directory}"]
