"""Variables of a run that collects coverage, which programs get that otherwise have a clean environment.

Source: tools/test/collect_coverage.sh of Bazel; coverage.py's documentation, "Measuring sub-processes".
"""

from __future__ import annotations

import os

START = "COVERAGE_PROCESS_START"
"""Where coverage.py's configuration is: a Python process that finds this variable measures itself."""

# What tools of several languages read to know where coverage data goes.
_BAZELS = ("COVERAGE", "GCOV_", "LLVM_PROFILE_FILE", "JAVA_COVERAGE_FILE", "JACOCO_", "PYTHON_COVERAGE")
# By which coverage.py 7.10 and later (`patch = subprocess`), and any other, has the Python processes of a run measured.
_COVERAGE_PYS = ("COVERAGE_PROCESS_CONFIG", START)


def measures_processes() -> bool:
    """Return whether coverage.py measures the processes that this one starts."""
    return any(os.environ.get(name) for name in _COVERAGE_PYS)


def coverage_variables() -> dict[str, str]:
    """Return the variables of a run that collects coverage; none in any other."""
    if any(os.environ.get(name) for name in ("COVERAGE_DIR", "COVERAGE_OUTPUT_FILE")):
        return {name: value for name, value in os.environ.items() if name.startswith(_BAZELS)}
    return {name: os.environ[name] for name in _COVERAGE_PYS if os.environ.get(name)}


def with_coverage(path: str) -> str:
    """Return an import path by which a Python process starts coverage.py, where Bazel collects coverage."""
    directory = os.path.dirname(os.environ.get(START, ""))
    parts = [part for part in path.split(os.pathsep) if part]
    return path if not directory or directory in parts else os.pathsep.join([directory, *parts])
