"""What a change can affect, as a query expression; in doubt everything."""

from __future__ import annotations

import fnmatch
import subprocess
from typing import TYPE_CHECKING

from realservices.ci_shard.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from realservices.ci_shard.bazel_query import Bazel

_BUILD_FILES = ("BUILD.bazel", "BUILD")
# What other repositories, toolchains and macros are made from: bazel query knows of no edge from it to targets.
EVERYTHING = (
    "*.bzl", "MODULE.bazel", "MODULE.bazel.lock", "WORKSPACE", "WORKSPACE.*", "REPO.bazel", ".bazel*", "*.lock",
    "*requirements*.txt", "package.json", "pnpm-lock.yaml", "package-lock.json", "go.mod", "go.sum", "Cargo.toml",
    "maven_install.json",
)  # fmt: skip


def changed_files(workspace: Path, revision: str) -> list[str]:
    """Return the files that differ from where this branch left a revision, from the workspace's directory.

    Files outside of the workspace begin with ``../``.

    Raises:
        ShardError: git says no.
    """
    base = _git(workspace, "merge-base", revision, "HEAD").strip()
    listed = _git(workspace, "diff", "--name-only", "--no-renames", "-z", base).split("\0")
    root = _git(workspace, "rev-parse", "--show-prefix").strip()
    outside = "../" * root.count("/")
    return [name.removeprefix(root) if name.startswith(root) else outside + name for name in listed if name]


def affected(bazel: Bazel, workspace: Path, files: Sequence[str], everything: Iterable[str] = EVERYTHING) -> str:
    """Return a query expression for all that depends on files, "" for everything.

    Args:
        bazel: Whom to ask which files are part of a target.
        workspace: The workspace's directory.
        files: As `changed_files` has them.
        everything: Patterns of names; a changed file with such a name affects everything.
    """
    names = [(name, name.rpartition("/")[2]) for name in files]
    if any(name.startswith("../") or _matches(base, everything) for name, base in names):
        return ""
    labels = [label for name in files for label in _labels(workspace, name)]
    known = bazel.query(f"set({_quoted(labels)})", "--output=label", may_lack=True).split("\n") if labels else []
    return f"rdeps(//..., set({_quoted(label for label in known if label)}))"


def _labels(workspace: Path, name: str) -> list[str]:
    """Return the labels that a file can stand for: itself, or its whole package if that is now another one."""
    directory, _, base = name.rpartition("/")
    if base in _BUILD_FILES:
        # New or deleted, it changes what globs of the package above find.
        above = _package(workspace, directory.rpartition("/")[0]) if directory else None
        return [f"//{package}:all" for package in (directory, above) if package is not None]
    package = _package(workspace, directory)
    if package is None:
        return []
    if not (workspace / name).exists():
        return [f"//{package}:all"]  # It may have been in a glob.
    return [f"//{package}:{name.removeprefix(package).lstrip('/')}"]


def _package(workspace: Path, directory: str) -> str | None:
    while True:
        if any((workspace / directory / name).is_file() for name in _BUILD_FILES):
            return directory
        if not directory:
            return None
        directory = directory.rpartition("/")[0]


def _matches(base: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(base, pattern) for pattern in patterns)


def _quoted(labels: Iterable[str]) -> str:
    return " ".join(f'"{label}"' for label in labels)


def _git(workspace: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=workspace, capture_output=True, text=True, check=False)  # noqa: S607
    except OSError as error:
        raise ShardError(f"cannot run git: {error.strerror}; what has changed is known from it only") from None
    if done.returncode:
        raise ShardError(
            f"git {arguments[0]} says: {done.stderr.strip()}; the revision and where this branch left it must be here "
            "(GitHub Actions: fetch-depth: 0)"
        )
    return done.stdout
