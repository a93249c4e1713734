"""Scan a tree of test files, on all processors."""

from __future__ import annotations

import concurrent.futures
import functools
import gc
import multiprocessing
import os
from typing import TYPE_CHECKING

from realservices.fixtures.twin_files import twin_of
from realservices.mocks.scan.files import Found, is_test_side, python_files
from realservices.mocks.scan.project_names import Project
from realservices.mocks.scan.scanner import Scanner
from realservices.mocks.scan_model import Suite, TestFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CHUNK = 100
"""Files that a process takes at a time: neighbours, which use the same modules."""
_WORTH_A_POOL = 150


def scan_tree(
    root: Path,
    *,
    below: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> Suite:
    """Return the mocks of all test files of a project, and of the files that lie among them.

    The originals that a conversion keeps are scanned only where `below` names one: their mocks have been replaced.

    Args:
        root: The project: patched names are followed into all of it.
        below: The file or directory whose tests are scanned; by default the whole project.
        progress: Called with the number of files that are done, and of all.
        processes: How many to scan with; by default as many as there are processors.
    """
    found = python_files(root)
    start = (below or root).relative_to(root)
    tests = [path for path in found.files if is_test_side(path)]
    twins = {twin_of(path) for path in tests}
    paths = [path for path in tests if path not in twins and path.is_relative_to(start)]
    paths = [start] if start in found.files else paths
    files = [TestFile(path=path, error=why) for path, why in found.problems if path.is_relative_to(start)]
    problems = len(files)
    for chunk in _scanned(root, found, paths, processes or _processors()):
        files += chunk
        if progress:
            progress(len(files) - problems, len(paths))
    return Suite(root=root, files=tuple(sorted(files, key=lambda file: file.path)))


def _scanned(root: Path, found: Found, paths: Sequence[Path], processes: int) -> Iterator[list[TestFile]]:
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if processes < 2 or len(paths) < _WORTH_A_POOL:
        _begin(root, found.files)
        yield from map(_scan_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")
    begin = functools.partial(_begin, root, found.files)
    with concurrent.futures.ProcessPoolExecutor(processes, context, begin) as pool:
        yield from pool.map(_scan_chunk, chunks)


_scanners: list[Scanner] = []


def _begin(root: Path, files: Sequence[Path]) -> None:
    _scanners[:] = [Scanner(Project(root, files))]


def _scan_chunk(paths: Sequence[Path]) -> list[TestFile]:
    # Trees of thousands of nodes, made and dropped: the collector would look through all of them again and again.
    gc.disable()
    try:
        return [_scanners[0].scan_file(path) for path in paths]
    finally:
        gc.enable()
        gc.collect()


def _processors() -> int:
    # macOS has no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
