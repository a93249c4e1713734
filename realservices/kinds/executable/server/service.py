"""A service of the user's own: any program, started with addresses filled in, asked for readiness as it was declared.

Config keys in the manifest: ``program`` (runfiles path), ``args`` (a list of parts each), ``env`` (name to parts),
``password`` (whether env or url has it), ``ports`` (names; the first is the main one), ``url``, ``websocket_url``
(parts), ``ready`` (see readiness.py), ``ready_timeout_s``, ``stop_signal`` (name), ``grace_s``, perhaps ``cwd`` (where
it runs). Parts are those of `contract.environment.resolved_text`.

It runs in a directory of its own, which is its HOME, too, and finds its files by RUNFILES_DIR.
"""

from __future__ import annotations

import os
import re
import signal
import time

from realservices.contract.coverage_environment import coverage_variables, with_coverage
from realservices.contract.environment import resolved_text
from realservices.contract.errors import ManifestError
from realservices.host.process import spawn
from realservices.kinds.executable.server.readiness import (
    ExecReadiness,
    HttpReadiness,
    LogReadiness,
    Readiness,
    TcpReadiness,
)
from realservices.services.base import HOST, Service
from realservices.services.port_states import PortStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories

# A service that says it serves has opened its ports, or is about to.
_PORT_GRACE_S = 5.0


class Executable(Service):
    """A program on leased ports."""

    # Most are written in languages that take longer to start than a database does.
    is_slow_to_start = True

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, directories, runfiles, ports)
        config = spec.config
        self.stop_signal = int(signal.Signals[config["stop_signal"]])
        self.grace_s = float(config["grace_s"])
        self.ready_timeout_s = float(config["ready_timeout_s"])
        self.ends_in_order = bool(coverage_variables())
        self._ports = dict(zip(config["ports"], ports, strict=False))
        self.port = next(iter(self._ports.values()), 0)
        self._states = PortStates(HOST, self._ports)
        # The password means something only where the program is told of it.
        password = self.password if config.get("password") else ""
        self.endpoint |= {"port": self.port, "ports": self._ports, "password": password, "url": ""}
        self._readiness = self._make_readiness(config["ready"])
        ready = config["ready"]
        if ready["type"] == "http":
            self.endpoint["health_url"] = f"http://{HOST}:{self._ports[ready['port']]}{ready['path']}"
        self._argv: list[str] = []
        self._env: dict[str, str] = {}
        self._started_at = 0.0
        self._passed_at: float | None = None

    @classmethod
    def ports_for(cls, spec: ServiceSpec) -> int:
        """Return how many ports it has; one that has none leases one all the same, for the name of its directory."""
        return max(1, len(spec.config["ports"]))

    def resolve(self, endpoints: dict[str, dict[str, Any]]) -> None:
        """Fill addresses into its URLs, arguments and environment."""
        config = self.spec.config
        for field in ("url", "websocket_url"):
            self.endpoint[field] = self._resolved(field, config[field], endpoints)
        self._argv = [f"{self.runfiles}/{config['program']}", *self._resolved_list("args", config["args"], endpoints)]
        self._env = {name: self._resolved(f"env {name}", parts, endpoints) for name, parts in config["env"].items()}
        if isinstance(self._readiness, ExecReadiness):
            ready = config["ready"]
            arguments = self._resolved_list("ready", ready["args"], endpoints)
            self._readiness.argv = [f"{self.runfiles}/{ready['program']}", *arguments]

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the program."""
        self.stop_probing()
        self._started_at = time.monotonic()
        whole = self._environment(env)
        if isinstance(self._readiness, ExecReadiness):
            self._readiness.env = whole
        return spawn(self._argv, env=whole, output=output, cwd=self.spec.config.get("cwd") or self.directory)

    def is_ready_line(self, line: str) -> bool:
        """Return whether the line is a reason to ask."""
        return self._passed_at is not None or self._readiness.is_telling(line)

    def probe(self) -> bool:
        """Ask in the declared way; once that succeeds, see that every port is open."""
        if self._passed_at is None:
            now = time.monotonic()
            if not self._readiness.attempt(now, now - self._started_at):
                return False
            # No further connection: a server may take one that says nothing for an error.
            answered = self.spec.config["ready"].get("port")
            if answered and not self._states.note_answer(answered):
                return False
            self._passed_at = now
        return self._states.are_open(list(self._ports))

    def is_sound(self) -> bool:
        """Ask by HTTP if that is how it was asked, and see that every port is still open."""
        self._states.reset()
        is_answering = not isinstance(self._readiness, HttpReadiness) or self._readiness.is_answered()
        return is_answering and self._states.are_open(list(self._ports))

    def probe_pause_s(self, elapsed_s: float) -> float:
        """Return a pause that grows with the time that the start takes."""
        pause_s = self._readiness.pause_s(time.monotonic(), elapsed_s)
        return max(0.0, min(pause_s, self.ready_timeout_s - elapsed_s + 0.001))

    @property
    def probe_descriptor(self) -> int:
        """What the readiness waits for."""
        return self._readiness.descriptor

    def child_exited(self, pid: int, status: int) -> bool:
        """Take note of the end of a readiness program."""
        return self._readiness.child_exited(pid, status)

    def give_up_reason(self, elapsed_s: float) -> str:
        """Say what is missing when time is up, for readiness or for a port that is still closed after it."""
        is_late = elapsed_s > self.ready_timeout_s
        if self._passed_at is not None and (is_late or time.monotonic() - self._passed_at > _PORT_GRACE_S):
            limit = f"{self.ready_timeout_s:g} s (ready_timeout_s)" if is_late else f"{_PORT_GRACE_S:.0f} s after that"
            return (
                f"is ready by its own account, but did not open port {' and '.join(self._states.closed())} within "
                f"{limit}: pass the number on to it by $(port NAME), or take the name out of 'ports'"
            )
        if not is_late:
            return ""
        return (
            f"was not ready within {self.ready_timeout_s:g} s (ready_timeout_s); the last try saw: "
            f"{self._readiness.last_seen(time.monotonic())}; its ports: {self._states.describe()}"
        )

    def stop_probing(self) -> None:
        """Forget what was found, and end a try that is under way."""
        self._readiness.drop()
        self._states.reset()
        self._passed_at = None

    def close(self) -> None:
        """End a try that is under way."""
        self._readiness.drop()

    def _make_readiness(self, ready: dict[str, Any]) -> Readiness:
        if ready["type"] == "http":
            return HttpReadiness(HOST, self._ports[ready["port"]], ready["path"], ready["status"])
        if ready["type"] == "tcp":
            return TcpReadiness(self._states, ready["ports"])
        if ready["type"] == "exec":
            return ExecReadiness(self.directory, f"{self.directory}/.ready.log")
        try:
            return LogReadiness(re.compile(ready["pattern"]))
        except re.error as error:
            raise ManifestError(
                f"service {self.spec.name!r} ({self.spec.label}): attribute 'ready': log_ready({ready['pattern']!r}) "
                f"is no regular expression of Python: {error}"
            ) from None

    def _environment(self, env: dict[str, str]) -> dict[str, str]:
        whole = env | {"HOME": self.directory, "TMPDIR": f"{self.directory}/tmp", "LC_ALL": "C.UTF-8"}
        # Bazel's three names for the same place: its launchers of Java and Python programs have their own.
        whole |= dict.fromkeys(("RUNFILES_DIR", "JAVA_RUNFILES", "PYTHON_RUNFILES"), self.runfiles)
        # What a program prints is its log: a line that waits in a buffer is neither readiness nor explanation.
        whole["PYTHONUNBUFFERED"] = "1"
        os.makedirs(whole["TMPDIR"], mode=0o700, exist_ok=True)
        coverage = coverage_variables()
        if "COVERAGE_DIR" in coverage:
            # Some tools write one file of a fixed name, which the test's own would overwrite.
            coverage["COVERAGE_DIR"] += f"/{self.spec.name}"
            os.makedirs(coverage["COVERAGE_DIR"], exist_ok=True)
        whole |= coverage | self._env
        if path := with_coverage(whole.get("PYTHONPATH", "")):
            whole["PYTHONPATH"] = path
        return whole

    def _resolved(self, what: str, parts: list[str | dict[str, str]], endpoints: dict[str, dict[str, Any]]) -> str:
        where = f"service {self.spec.name!r} ({self.spec.label}): {what}"
        return resolved_text(where, parts, endpoints, own=self.spec.name, runfiles=self.runfiles)

    def _resolved_list(
        self, what: str, values: list[list[str | dict[str, str]]], endpoints: dict[str, dict[str, Any]]
    ) -> list[str]:
        return [self._resolved(what, parts, endpoints) for parts in values]
