"""The test program of a Python target: runs pytest in a process of its own, which the launcher starts.

It turns the manifest's files and Bazel's variables into pytest's arguments, and pytest's end into Bazel's. What
happens within the session (fixtures, shards, filters) is the business of the plugins in `realservices.fixtures`.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import threading
from typing import TYPE_CHECKING

from realservices.contract import environment
from realservices.contract.archive_imports import name_files_in_archives
from realservices.contract.bazel_files import advertise_shards, note, tell_warnings
from realservices.contract.coverage_environment import START as COVERAGE_START
from realservices.contract.errors import RealServicesError
from realservices.contract.manifest import load_manifest
from realservices.contract.test_filter import FILTER, no_match

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    import pytest

_PLUGIN = "realservices.fixtures.plugin"
_BAZEL = "realservices.fixtures.bazel"
# Where a project configures pytest, in the order in which pytest looks.
_CONFIGURATIONS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
# Asynchronous tests need no marker, and have one loop, so that one connection serves all of them.
_ASYNCIO = (
    {"asyncio_mode": "auto"},
    {"asyncio_default_fixture_loop_scope": "session", "asyncio_default_test_loop_scope": "session"},
)
_ASYNCIO_LINE = re.compile(r"^\s*(asyncio_\w+)\s*=", re.M)
_ASYNCIO_WORD = re.compile(r"\b(asyncio_\w+)=")
_ADDOPTS = re.compile(r"^\s*addopts\s*=.*(?:\n[ \t\"'\[\]-].*)*", re.M)
_XDIST_OPTION = re.compile(r"-n(?:\d+|auto|logical)?|-d|--(?:numprocesses|maxprocesses|dist|tx)")
_USAGE_ERROR = 4
_NO_TESTS = 5


def run() -> NoReturn:
    """Run the tests and end the process with their exit code.

    Threads are joined and exit functions run, as ever, but the interpreter is not taken apart: that takes 40 ms of
    every test action and only frees what the kernel frees anyway.
    """
    premature_exit = os.environ.get(environment.PREMATURE_EXIT)
    if premature_exit:
        # A test that calls os._exit(0) must not end all others as passed: the launcher looks for this file.
        with open(premature_exit, "w", encoding="utf-8"):
            pass
    code = main()
    if premature_exit and os.path.exists(premature_exit):
        os.unlink(premature_exit)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    """Run the tests of the manifest that the environment names; return the exit code."""
    try:
        manifest = load_manifest(os.environ[environment.MANIFEST])
    except RealServicesError as error:
        print(f"realservices: {error}", file=sys.stderr)
        return _USAGE_ERROR
    advertise_shards()
    runfiles = os.environ["RUNFILES_DIR"]
    root = os.path.join(runfiles, os.environ.get("TEST_WORKSPACE") or manifest.test.files[0].split("/")[0])
    files = [os.path.join(runfiles, file) for file in manifest.test.files]
    # Scanning every import path for entry points takes longer than most tests. Set to "" on the target to have it.
    os.environ.setdefault("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    os.environ[environment.LEVELS] = "1"

    name_files_in_archives()
    if os.environ.get(COVERAGE_START):
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401, PLC0415 - this process runs with -S

    import pytest  # noqa: PLC0415 - the shard's status file must not wait for it

    observer = _Observer()
    code = int(pytest.main(arguments(root, files, sys.argv[1:]), plugins=[observer]))
    return _exit_code(code, manifest.label, files, observer)


def arguments(root: str, files: Sequence[str], extra: Sequence[str]) -> list[str]:
    """Return pytest's arguments.

    Args:
        root: The runfiles directory of the main repository: test names are relative to it.
        files: The test files, absolute.
        extra: The user's own arguments; they come later than ours and so win.
    """
    configuration = _configuration(root)
    # Without -c, pytest would look above the runfiles tree and find the configuration of a source tree.
    ours = [f"--rootdir={root}", f"--confcutdir={root}", "-c", configuration or os.devnull]
    # Files of one name in two packages must not be one module, and sys.path is the target's to say.
    ours += ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", _PLUGIN, "-p", _BAZEL]
    text = _read(configuration)
    options = _options_said(extra, text)
    ours += _asyncio_options(options, text)
    if _wants_xdist(options):
        ours += ["-p", "xdist.plugin"]
    if xml := os.environ.get("XML_OUTPUT_FILE"):
        ours.append(f"--junitxml={xml}")
    if os.environ.get("TESTBRIDGE_TEST_RUNNER_FAIL_FAST") == "1":
        ours.append("--exitfirst")
    return [*ours, *extra, *files]


class _Observer:
    """Sees what the session's plugin found, which is gone when pytest returns; and has less to collect in the end."""

    found = 0
    selected = 0
    skipped = 0

    def pytest_collection_finish(self) -> None:
        """Leave what is there now to the end of the process: modules, tests.

        pytest collects garbage at its end, to find what was never closed, and would look at all of it: 30 ms.
        """
        gc.freeze()

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        contract = config.pluginmanager.get_plugin("realservices-bazel-contract")
        if contract is not None:
            self.found, self.selected, self.skipped = contract.found, contract.selected, contract.skipped


def _exit_code(code: int, label: str, files: Sequence[str], observer: _Observer) -> int:
    """Turn "no tests ran" into success where another shard or the filter has them, else into an explained failure."""
    if code != _NO_TESTS:
        return code
    if observer.found or observer.skipped:
        pattern = os.environ.get(FILTER, "").strip()
        if pattern and not observer.selected:
            text = f"{label}: {no_match(pattern, observer.found)}"
            tell_warnings([f"realservices: {text}"])
            note(text)
        return 0
    names = "".join(f"\n    {file}" for file in files)
    print(
        f"realservices: {label}: pytest found no tests in{names}\n"
        "  A test function's name starts with test_, a test class's name with Test (or as python_functions and "
        "python_classes in the project's pytest configuration say).",
        file=sys.stderr,
    )
    return code


def _configuration(root: str) -> str:
    """Return the project's pytest configuration, if the target's data hold one in the root directory."""
    for name in _CONFIGURATIONS:
        path = os.path.join(root, name)
        if os.path.isfile(path) and _configures_pytest(name, path):
            return path
    return ""


def _configures_pytest(name: str, path: str) -> bool:
    if "pytest" in name:
        return True
    return re.search(r"^\[(?:tool\.pytest|pytest|tool:pytest)\b", _read(path), re.M) is not None


def _options_said(extra: Sequence[str], text: str) -> list[str]:
    """Return the texts in which options are given: the user's arguments, the variable, ``addopts`` in the file."""
    return [*extra, os.environ.get("PYTEST_ADDOPTS", ""), *_ADDOPTS.findall(text)]


def _asyncio_options(options: Sequence[str], text: str) -> list[str]:
    """Return what our tests need of pytest-asyncio, where the project says nothing about it."""
    said = {*_ASYNCIO_LINE.findall(text), *_ASYNCIO_WORD.findall(" ".join(options))}
    return [
        f"--override-ini={name}={value}"
        for group in _ASYNCIO
        for name, value in group.items()
        if said.isdisjoint(group)
    ]


def _wants_xdist(options: Sequence[str]) -> bool:
    return any(_XDIST_OPTION.fullmatch(word) for text in options for word in re.split(r"[\s\"'=,\[\]]+", text))


def _read(path: str) -> str:
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()
