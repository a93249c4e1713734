"""A project whose services are kept warm, and its sessions: runs of pytest, each a process of its own.

What waits lies in a registry that the project alone has, so that a test knows all that there is.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event
from typing import Any

from tests.sources.warm_pool import end_waiting

DEADLINE_S = 30.0
_SERVERS = {
    "REALSERVICES_POSTGRES": "POSTGRES_DISTRIBUTION",
    "REALSERVICES_REDIS": "REDIS_SERVER",
    "REALSERVICES_CLICKHOUSE": "CLICKHOUSE_SERVER",
}
_OURS = ("-q", "-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
# What a session had, for the test around it.
_TOLD = """
import json, os, time
import pytest

BEGIN = time.monotonic()

@pytest.fixture
async def told(service_control):
    yield
    status = await service_control.status()
    names = ("REALSERVICES_SESSION", "DATABASE_URL", "REDIS_URL")
    found = {name: os.environ.get(name) for name in names}
    found |= {"pids": {name: each.pid for name, each in status.items()}}
    found |= {"started": {name: each.started_at - BEGIN for name, each in status.items()}}
    with open(os.environ["TOLD"] + os.environ.get("PYTEST_XDIST_WORKER", ""), "w") as file:
        json.dump(found, file)
"""
USES_BOTH = """
async def test_both(told, isolated_database, isolated_redis):
    assert await isolated_database.fetchval("SELECT 1") == 1
    await isolated_redis.set("key", "value")
"""


class WarmProject:
    """A directory with tests, and the sessions that run them.

    Args:
        directory: Where it is.
        environment: Of its sessions.

    Attributes:
        env: Environment of its sessions.
    """

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self._registry = tempfile.mkdtemp(prefix="rsw.", dir="/tmp")
        runfiles = Path(os.environ["RUNFILES_DIR"])
        servers = {name: str(runfiles / os.environ[path]) for name, path in _SERVERS.items() if path in os.environ}
        self.env = (
            environment
            | servers
            | {
                "REALSERVICES_REGISTRY": self._registry,
                "XDG_CACHE_HOME": os.environ["TEST_TMPDIR"],
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            }
        )
        os.environ["REALSERVICES_REGISTRY"] = self._registry
        self._count = 0
        self.write("conftest.py", _TOLD)
        self.write("test_both.py", USES_BOTH)
        self.declare("")

    def close(self) -> None:
        """End what waits for a session that will not come."""
        end_waiting()
        shutil.rmtree(self._registry)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        (self.directory / name).write_text(text, encoding="utf-8")

    def declare(self, services: str, settings: str = "warm = true") -> None:
        """Say what services there are."""
        self.write("realservices.toml", f"{settings}\n{services}")

    def start(self, *arguments: str) -> Run:
        """Start a session."""
        self._count += 1
        told = self.directory / f"told.{self._count}"
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_OURS, *arguments],
            cwd=self.directory,
            env=self.env | {"TOLD": str(told)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Run(process, told)

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run a session to its end, in which all tests pass; return what it had."""
        return self.start(*arguments).finish()


class Run:
    """One session.

    Args:
        process: Its pytest.
        told: The file in which it says what it had.
    """

    def __init__(self, process: subprocess.Popen[str], told: Path) -> None:
        self.process = process
        self._told = told

    def finish(self) -> dict[str, Any]:
        """Wait for its end, in which all tests have passed; return what it had."""
        output, _ = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, output
        found: dict[str, Any] = json.loads(self._told.read_text(encoding="utf-8"))
        return found


def await_removal(pattern: str) -> None:
    """Wait until no file has such a path."""
    deadline = time.monotonic() + DEADLINE_S
    while found := list(Path("/").glob(pattern.removeprefix("/"))):
        assert time.monotonic() < deadline, f"{found} are still there"
        Event().wait(0.01)


def kill(pid: int) -> None:
    """Kill a process and wait for its end."""
    descriptor = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        ready, _, _ = select.select([descriptor], [], [], DEADLINE_S)
        assert ready, f"process {pid} still runs"
    finally:
        os.close(descriptor)
