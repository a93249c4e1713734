"""Warm services in a test action: those of a process outside of it, lent for as long as the action lasts.

The process (serve.py) starts, watches and ends them; this side knows where they are and is told when one fails. It is
asked for only where REALSERVICES_WARM wants it. Servers of the user's own are never lent: only Bazel knows what they
were built from.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import time

from realservices.contract.control_answers import read_answer, receive_line
from realservices.contract.errors import RealServicesError
from realservices.contract.offers import ask_keeper, take_over
from realservices.contract.session_directory import CONTROL, SHARED_SESSION_BASE
from realservices.contract.warmth import INHERITED, namespace, warm_wish
from realservices.host.process import spawn
from realservices.kinds.registry import find
from realservices.launcher.supervised import FAILED, READY, STARTING, STOPPED, WAITING, Supervised
from realservices.launcher.supervisor import Supervisor
from realservices.services.base import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.launcher.supervised import Watcher

_IDLE_S = 600
# A process that does not say in this time where its services are has been stopped, or the machine is overwhelmed.
_TIMEOUT_S = 5.0


class Lending:
    """What a test action would borrow.

    Args:
        specs: Its services.
        runfiles: The directory that runfiles paths start from.

    Raises:
        OSError: A file is not there.
    """

    def __init__(self, specs: list[ServiceSpec], runfiles: str) -> None:
        self._specs = specs
        self._requests = [{"service": _entry(spec, runfiles), "runfiles": ""} for spec in specs]
        here = os.path.realpath(sys.path[0])  # The archive or directory that this package was loaded from.
        program = here if os.path.isfile(here) else f"{here}/realservices"
        self._command = [os.path.realpath(sys.executable), "-I", "-S", "-B", program]
        self._net = namespace("net")
        made_by = [self._command, os.stat(program).st_mtime_ns, self._net]
        content = json.dumps([made_by, self._requests], sort_keys=True)
        self._key = hashlib.sha256(content.encode()).hexdigest()[:24]
        self._most = os.cpu_count() or 1

    def borrow(self, watcher: Watcher | None) -> LentServices | None:
        """Return services that run, or None if nobody offers them."""
        found = take_over(self._key, self._most)
        if not found:
            return None
        lent = LentServices(*found, watcher)
        try:
            lent.learn(self._specs, self._requests)
        except (RealServicesError, OSError, ValueError):
            lent.give_back()
            return None
        return lent

    def wish(self) -> bool:
        """Have such services started for whoever comes next; return whether there is a keeper who does that."""
        return ask_keeper({"key": self._key, "net": self._net, "command": self._words, "requests": self._requests})

    def leave_spares(self) -> None:
        """Start such services for whoever comes next. Not from within a sandbox: they would end with it."""
        read_end, write_end = os.pipe()
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        pid = spawn(self._words, env=env, stdin=read_end)
        os.close(read_end)
        os.write(write_end, json.dumps(self._requests).encode())
        os.close(write_end)
        os.waitpid(pid, 0)  # It is a daemon.

    @property
    def _words(self) -> list[str]:
        return [*self._command, "spare", SHARED_SESSION_BASE, self._key, str(_IDLE_S), str(self._most)]


class LentServices(Supervisor):
    """Services that somebody else supervises.

    Attributes:
        control: Path of the socket at which that process is asked.

    Args:
        directory: The session's directory.
        held: What keeps them running.
        watcher: Is told what happens to them.
    """

    def __init__(self, directory: str, held: list[int], watcher: Watcher | None) -> None:
        super().__init__([], {}, watcher)
        self.control = f"{directory}/{CONTROL}"
        self._held = held
        self._received = bytearray()
        self._states: dict[str, str] = {}
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def learn(self, specs: list[ServiceSpec], requests: list[dict[str, Any]]) -> None:
        """Ask where the services are, which serve then.

        Raises:
            OSError, ValueError: Nobody answers.
            RealServicesError: One does not serve.
        """
        self._connection.settimeout(_TIMEOUT_S)
        self._connection.connect(self.control)
        for spec, request in zip(specs, requests, strict=True):
            asked_at = time.monotonic()
            answer = self._ask(op="add", **request)
            if not answer["ok"]:
                raise RealServicesError(answer["error"])
            supervised = Supervised(_Lent(spec, answer["endpoint"]), self._watcher)
            self.services[spec.name] = supervised
            supervised.begin()
            supervised.started_at = supervised.first_start = asked_at
            supervised.succeed()
            self._states[spec.name] = READY
        self._await_change()
        self.watch(self._connection.fileno(), self._on_change)

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Where the services are, as in a runtime description."""
        return {name: supervised.service.endpoint for name, supervised in self.services.items()}

    def give_back(self) -> None:
        """End the use of them: they end, too."""
        self._connection.close()
        while self._held:
            os.close(self._held.pop())

    def _on_change(self) -> None:
        try:
            answer = self._answer("watch")
            for name, status in answer.get("services", {}).items():
                if name in self.services:
                    self._take_note(self.services[name], status)
            self._await_change()
        except (RealServicesError, OSError, ValueError):
            self.unwatch(self._connection.fileno())
            for supervised in self.services.values():
                supervised.fail("has ended with the process that ran the warm services", [])

    def _take_note(self, supervised: Supervised, status: dict[str, Any]) -> None:
        self._states[supervised.name] = state = status["state"]
        if state == FAILED and not supervised.error:
            lines = self._ask(op="logs", service=supervised.name).get("lines", [])
            supervised.fail(status.get("cause", ""), lines)
        elif state != FAILED:
            # Its start is not this side's to look after.
            supervised.state, supervised.error = (STOPPED if state in (STARTING, WAITING) else state), None

    def _await_change(self) -> None:
        self._tell(op="watch", states=self._states)

    def _ask(self, **request: Any) -> dict[str, Any]:
        self._tell(**request)
        return self._answer(request["op"])

    def _tell(self, **request: Any) -> None:
        self._connection.sendall(json.dumps(request).encode() + b"\n")

    def _answer(self, operation: str) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            OSError: The process has ended, or does not answer in time.
            ValueError: What it says is no answer.
        """
        line = receive_line(self._connection, self._received)
        if not line:
            raise ConnectionResetError("the process that runs the services has ended")
        return read_answer(line, operation)


class _Lent(Service):
    """A service that somebody else runs."""

    is_warm = True

    def __init__(self, spec: ServiceSpec, endpoint: dict[str, Any]) -> None:
        self.spec = spec
        self.endpoint = endpoint
        self.port = endpoint["port"]
        self.warning = ""


def lending_of(specs: list[ServiceSpec], runfiles: str) -> Lending | None:
    """Return what a test action would borrow, None if the environment does not want that or one cannot be lent.

    Raises:
        ManifestError: The environment wants what there is not.
    """
    if not warm_wish() or not all(find(spec.kind).program_keys for spec in specs):
        return None
    if any("distribution_archive" in spec.config for spec in specs):
        return None  # For a remote worker; nothing there is kept from one action to another.
    try:
        return Lending(specs, runfiles)
    except OSError:
        return None  # The service's own start says what is missing.


def _entry(spec: ServiceSpec, runfiles: str) -> dict[str, Any]:
    """Return a service's entry with paths that hold outside of the action's sandbox, from the root directory."""
    kind = find(spec.kind)
    files = {key: os.path.realpath(f"{runfiles}/{spec.config[key]}") for key in kind.program_keys}
    return {
        "name": spec.name,
        "kind": spec.kind,
        "label": spec.label,
        "needs": list(spec.needs),
        "config": spec.config | {key: path.removeprefix("/") for key, path in files.items()},
        "made_of": kind.made_of(files),
    }
