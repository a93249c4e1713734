"""Coverage of Python code in a test action: the tests, the processes that they start, and servers, as one LCOV file.

Bazel says by COVERAGE_DIR and COVERAGE_MANIFEST that it collects coverage, and merges each ``*.dat`` file below the
former (https://bazel.build/configure/coverage). Each Python process starts coverage.py by itself, through a module
``sitecustomize`` (https://coverage.readthedocs.io/en/latest/subprocess.html): whatever starts it, and whichever signal
ends it. Imported in such an action only.
"""

from __future__ import annotations

import os
import sys
from glob import escape

from realservices.contract.coverage_environment import START, with_coverage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MANIFEST = "COVERAGE_MANIFEST"
# What follows greenlets needs greenlet, which each program has or not. Python 3.14's monitoring follows all of them.
# A program's own sitecustomize comes after ours, which hides it.
_SITECUSTOMIZE = """\
import importlib.util, os, sys
sys.path.remove({directory!r})
sys.path += {site!r}
has_greenlet = sys.version_info < (3, 14) and importlib.util.find_spec("greenlet") is not None
os.environ["REALSERVICES_CONCURRENCY"] = "thread,greenlet" if has_greenlet else "thread"
import coverage
coverage.process_startup()
del sys.modules["sitecustomize"], has_greenlet
try:
    import sitecustomize
except ImportError:
    pass
"""
_CONFIGURATION = """\
[run]
branch = True
parallel = True
sigterm = True
data_file = {directory}/.coverage
disable_warnings = no-data-collected,module-not-measured
concurrency = ${{REALSERVICES_CONCURRENCY-thread}}
include =
    {include}
"""


class PythonCoverage:
    """What one action's Python processes are measured with.

    Args:
        site: Import paths with coverage.py, absolute.
        runfiles: The directory that runfiles paths start from.
        workspace: The main repository's directory in it.
        directory: Bazel's COVERAGE_DIR.
    """

    def __init__(self, site: list[str], runfiles: str, workspace: str, directory: str) -> None:
        self._site = site
        self._output = f"{directory}/python.dat"
        self._directory = f"{directory}/python"
        self._configuration = f"{self._directory}/coveragerc"
        # coverage.py knows files by their real paths, Bazel by those of the workspace.
        self._names = dict(_instrumented(runfiles, workspace))

    def prepare(self) -> None:
        """Write what the processes start with, and have them find it."""
        os.makedirs(self._directory, exist_ok=True)
        text = _CONFIGURATION.format(directory=self._directory, include="\n    ".join(map(escape, self._names)))
        _write(self._configuration, text)
        _write(f"{self._directory}/sitecustomize.py", _SITECUSTOMIZE.format(directory=self._directory, site=self._site))
        os.environ[START] = self._configuration
        os.environ["PYTHONPATH"] = with_coverage(os.environ.get("PYTHONPATH", ""))

    def report(self) -> str:
        """Write what was measured, when all processes have ended.

        Returns:
            A warning, "" if there is none.
        """
        sys.path += self._site
        import coverage  # noqa: PLC0415
        from coverage.exceptions import CoverageException, NoDataError  # noqa: PLC0415

        del os.environ[START]
        measured = coverage.Coverage(config_file=self._configuration)
        raw = f"{self._directory}/lcov"
        try:
            measured.combine()
            measured.lcov_report(outfile=raw)
        except NoDataError:
            return ""
        except CoverageException as error:
            return f"coverage of Python code is lost: {error}"
        with open(raw, encoding="utf-8") as lines:
            _write(self._output, "".join(self._named(line) for line in lines))
        return ""

    def _named(self, line: str) -> str:
        if not line.startswith("SF:"):
            return line
        path = os.path.realpath(line[3:].rstrip("\n"))
        return f"SF:{self._names.get(path, path)}\n"


def _instrumented(runfiles: str, workspace: str) -> Iterator[tuple[str, str]]:
    """Yield the real path, and the name in reports, of each Python file that Bazel wants to know about."""
    with open(os.environ[_MANIFEST], encoding="utf-8") as lines:
        for line in lines:
            name = line.rstrip("\n")
            if name.endswith(".py"):
                yield os.path.realpath(f"{runfiles}/{_runfiles_path(name, workspace)}"), name


def _runfiles_path(name: str, workspace: str) -> str:
    """Turn a path below Bazel's execution root into one below the runfiles."""
    parts = name.split("/")
    if parts[0] == "bazel-out":
        parts = parts[3:]
    return "/".join(parts[1:] if parts[0] == "external" else [workspace, *parts])


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
