"""`up` in one terminal, `status` and `logs` in another: processes of their own in a project of the test's making."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from tests.host import places
from tests.host.running import Running

if TYPE_CHECKING:
    from tests.dev.project import Project

DEADLINE_S = 60.0


class Development:
    """A project and its commands.

    Args:
        project: The project.
        scratch: A directory for what it needs beside it.

    Attributes:
        environment: Of all commands.
    """

    def __init__(self, project: Project, scratch: Path) -> None:
        self.project = project
        self.directory = project.directory
        self._scratch = scratch
        self.discovery = self.directory / ".service_discovery"
        path = os.pathsep.join([str(places.command_line()), *sys.path])
        own = {"PYTHONPATH": path, "REALSERVICES_REGISTRY": str(scratch / "registry"), "TERM": "dumb"}
        self.environment = project.environment | own | {"XDG_CACHE_HOME": os.environ["TEST_TMPDIR"]}

    def with_servers(self) -> None:
        """Have sessions find PostgreSQL and Redis."""
        self.environment["REALSERVICES_POSTGRES"] = str(places.postgres_distribution())
        self.environment["REALSERVICES_REDIS"] = str(places.redis_server())

    def append(self, toml: str) -> None:
        """Declare more."""
        with (self.directory / "realservices.toml").open("a", encoding="utf-8") as file:
            file.write(toml)

    def command(self, *arguments: str) -> list[str]:
        """Return what runs a command."""
        return [sys.executable, "-m", "realservices", *arguments]

    def run(self, *arguments: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments), cwd=directory or self.directory, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        done = self.run("status", "--json")
        assert done.stderr == ""
        content: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if content["verdict"] == "ok" else 1)
        return content

    def states(self) -> dict[str, str]:
        """Return the state of each service, as `status` says."""
        return {each["name"]: each["state"] for each in self.status()["services"]}

    def up(self, *arguments: str) -> Up:
        """Start `up`."""
        errors = self._scratch / f"errors.{time.monotonic_ns()}"
        with errors.open("w", encoding="utf-8") as file:
            return Up(
                subprocess.Popen(
                    self.command("up", *arguments), cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=file, start_new_session=True,
                ),
                errors,
            )  # fmt: skip

    def file(self, service: str) -> dict[str, Any]:
        """Return a discovery file."""
        content: dict[str, Any] = json.loads((self.discovery / f"{service}.json").read_text(encoding="utf-8"))
        return content


class Up(Running):
    """`up` while it runs.

    Args:
        process: Its process.
        errors: The file that has its standard error.
    """

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        super().__init__(process, DEADLINE_S)
        self._errors = errors

    @property
    def errors(self) -> str:
        """What it has complained about."""
        return self._errors.read_text(encoding="utf-8")

    def complaints(self) -> str:
        """The same."""
        return self.errors

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has written as JSON."""
        return [json.loads(line) for line in self.output.splitlines()]

    def await_ready(self) -> None:
        """Wait until all services are ready."""
        self.await_output(r'ready; Ctrl-C ends|"event": "ready".*\n')

    def await_error(self, text: str) -> None:
        """Wait until it has complained about something."""
        wait_until(lambda: text in self.errors, f"no {text!r}")

    def close_output(self) -> None:
        """Read no more."""
        assert self.process.stdout
        self.process.stdout.close()
        self.process.stdout = None

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal, and wait for its end; return the exit code."""
        self.signal(number)
        return self.wait()


def session_of(file: dict[str, Any]) -> Path:
    """Return the session's directory, from a discovery file."""
    return Path(file["control"]).parent


def assert_nothing_is_left(session: Path, ports: list[int]) -> None:
    """Look for the session's directory, processes and ports."""
    wait_until(lambda: not session.exists(), f"{session} is there")
    wait_until(lambda: not _processes_of(session), "it has processes")
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, port


def wait_until(is_so: Any, otherwise: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        Event().wait(0.01)


def ask(file: dict[str, Any], path: str, *, may_end: bool = False) -> None:
    """Ask an application of tests/dev/application.py for something.

    Args:
        file: Its discovery file.
        path: What for.
        may_end: It may end before it has answered.
    """
    try:
        urllib.request.urlopen(file["base_url"] + path, timeout=DEADLINE_S).close()
    except OSError:
        assert may_end


def _processes_of(session: Path) -> list[str]:
    """Return the processes that have the session's directory in their environment or among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(session).encode() in words and process.name != str(os.getpid()):
            found.append(process.name)
    return found
