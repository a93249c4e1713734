"""Counts the inputs of a test action: each is a symlink in a sandbox, and a file to look at or send for a remote one.

They are its runfiles, which `bazel aquery` folds into one artifact; the runfiles manifest lists them. Bazel's own test
scripts come on top, two or three, the same for every test.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Inputs:
    """What one test action reads.

    Args:
        entries: Inputs as Bazel counts them: a source directory is one.
        files: Files, with those below directories, which is what a remote worker is sent.
        size_bytes: Their size.
    """

    entries: int
    files: int
    size_bytes: int


def manifest_paths(lines: Iterable[str]) -> list[str]:
    """Return the real paths in a runfiles manifest; an entry without one is an empty file that Bazel makes."""
    paths = []
    for line in lines:
        # A line that begins with a blank has its blanks escaped as \\s (from Bazel 7.4 on).
        escaped = line.startswith(" ")
        path = line.rstrip("\n").lstrip(" ").partition(" ")[2]
        paths.append(path.replace("\\s", " ") if escaped else path)
    return paths


def count_inputs(paths: Iterable[str]) -> Inputs:
    """Count entries, and files with their sizes below those that are directories."""
    entries = files = size_bytes = 0
    for path in paths:
        entries += 1
        for file in _files(path):
            files += 1
            size_bytes += file.stat().st_size
    return Inputs(entries, files, size_bytes)


def _files(path: str) -> list[Path]:
    if not path or not Path(path).is_dir():
        return [Path(path or os.devnull)]
    # Twice the same file through a link counts twice, as it does for a remote worker.
    return [Path(root, name) for root, _, names in os.walk(path, followlinks=True) for name in names]
