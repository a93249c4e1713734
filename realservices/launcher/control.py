"""The control socket: a running test asks the launcher to wait for, stop, start, kill or pause a service.

One JSON object per line each way, answered in the order of the requests; the client is
`realservices.clients.control`. Requests are served in the supervisor's poll loop; `wait`, `stop` and `kill` are
answered when it is so, `watch` when a service is in another state than the asker knows.
"""

from __future__ import annotations

import json
import os
import signal
import socket

from realservices.contract.errors import ManifestError, RealServicesError, ServiceError
from realservices.contract.resources import explain
from realservices.launcher.supervised import FAILED, PAUSED, READY, STARTING, STOPPED, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.launcher.supervisor import Supervisor

# Operation: signal (None: the kind's own orderly one), state that it leads to, states that it starts from. A server
# that is starting may not have its signal handlers yet.
_SIGNALS = {
    "stop": (None, STOPPED, (READY, PAUSED)),
    "kill": (signal.SIGKILL, STOPPED, (STARTING, READY, PAUSED, FAILED)),
    "pause": (signal.SIGSTOP, PAUSED, (READY,)),
    "resume": (signal.SIGCONT, READY, (PAUSED,)),
}


class _Connection:
    """One client: what it has sent, and the condition on which its current request is answered."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.received = b""
        self.condition: Callable[[], bool] | None = None
        self.result: dict[str, Any] = {}

    def next_line(self) -> bytes | None:
        """Take the next request, unless the current one is unanswered or the line has not ended."""
        if self.condition or b"\n" not in self.received:
            return None
        line, _, self.received = self.received.partition(b"\n")
        return line

    def send(self, answer: dict[str, Any]) -> None:
        """Answer the current request."""
        self.condition = None
        try:
            self.stream.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # The asker is gone; its connection is closed when the loop sees that.


class ControlServer:
    """Listens on a unix socket and serves any number of connections.

    Args:
        path: The socket's.
        supervisor: Whose services these are.
        add: Makes a further service from its entry of a manifest and the directory of runfiles, unless it is there.
            None: no more come.
    """

    def __init__(
        self, path: str, supervisor: Supervisor, add: Callable[[dict[str, Any], str], None] | None = None
    ) -> None:
        self._supervisor = supervisor
        self._add = add
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(f"{path}.new")
        # Clients that do not block, as those of asyncio, are refused when the queue is full.
        self._listener.listen(1024)
        # Whoever finds the path must find somebody who listens: between bind and listen, connections are refused.
        os.rename(f"{path}.new", path)
        self._connections: list[_Connection] = []
        supervisor.watch(self._listener.fileno(), self._accept)

    def answer_waiting(self) -> None:
        """Answer every request whose condition has come true or cannot come true. Call it after each step."""
        for connection in self._connections:
            while connection.condition:
                try:
                    if not connection.condition():
                        break
                    connection.send({"ok": True} | connection.result)
                except ServiceError as error:
                    connection.send({"ok": False, "error": str(error)})
                self._serve_received(connection)

    def close(self) -> None:
        """Stop listening."""
        self._supervisor.unwatch(self._listener.fileno())
        self._listener.close()

    def hang_up(self) -> None:
        """Stop listening and end all connections."""
        self.close()
        for connection in self._connections:
            self._supervisor.unwatch(connection.stream.fileno())
            connection.stream.close()
        self._connections = []

    def _accept(self) -> None:
        connection = _Connection(self._listener.accept()[0])
        self._connections.append(connection)
        self._supervisor.watch(connection.stream.fileno(), lambda: self._receive(connection))

    def _receive(self, connection: _Connection) -> None:
        try:
            received = connection.stream.recv(65536)
        except OSError:
            received = b""
        if not received:
            self._connections.remove(connection)
            self._supervisor.unwatch(connection.stream.fileno())
            connection.stream.close()
            return
        connection.received += received
        self._serve_received(connection)

    def _serve_received(self, connection: _Connection) -> None:
        while (line := connection.next_line()) is not None:
            answer = self._answer(line)
            if callable(answer):
                connection.condition, connection.result = answer, {}
            elif "after" in answer:
                connection.condition, connection.result = answer.pop("after"), answer
            else:
                connection.send(answer)

    def _answer(self, line: bytes) -> dict[str, Any] | Callable[[], bool]:
        """Return the answer to a request, or the condition on which it is ``{"ok": true}``."""
        try:
            request = json.loads(line)
            operation = request["op"]
            if operation == "wait":
                names = [self._known(name) for name in request.get("services") or self._supervisor.asked_for]
                return lambda: self._supervisor.is_ready(names)
            if operation == "status":
                return {"ok": True, "services": self._status()}
            if operation == "watch":
                return self._changes(dict(request["states"]))
            if operation in ("logs", "start", *_SIGNALS):
                return self._serve(operation, self._known(request["service"]), request)
            if operation == "add" and self._add:
                return self._added(request)
            known = ["wait", "status", "logs", "start", *_SIGNALS, "watch", *(["add"] if self._add else [])]
            return {"ok": False, "error": f"unknown operation {operation!r}; known are {known}"}
        except ManifestError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError, LookupError) as error:
            return {"ok": False, "error": f"bad request {line.decode(errors='replace')}: {error}"}

    def _added(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have a service added; the answer is its endpoint, ``after`` it is ready."""
        name = request["service"]["name"]
        assert self._add
        try:
            self._add(request["service"], request["runfiles"])
        except RealServicesError as error:
            return {"ok": False, "error": str(error)}
        except OSError as error:
            return {"ok": False, "error": str(explain(error, f"service {name!r} cannot be started"))}
        endpoint = self._supervisor.services[name].service.endpoint
        return {"endpoint": endpoint, "after": lambda: self._supervisor.is_ready([name])}

    def _changes(self, states: dict[str, str]) -> dict[str, Any]:
        """Return the answer to somebody who knows these states: how services are ``after`` one is in another."""
        answer: dict[str, Any] = {}

        def has_changed() -> bool:
            answer["services"] = self._status()
            return {name: each["state"] for name, each in answer["services"].items()} != states

        answer["after"] = has_changed
        return answer

    def _serve(self, operation: str, name: str, request: dict[str, Any]) -> dict[str, Any] | Callable[[], bool]:
        supervised = self._supervisor.services[name]
        if operation == "logs":
            lines = supervised.log.tail()
            return {"ok": True, "lines": lines[max(0, len(lines) - int(request.get("lines", 20))) :]}
        if operation == "start":
            if supervised.pid:
                return {"ok": False, "error": f"service {name!r} runs already (pid {supervised.pid})"}
            supervised.state = WAITING
            self._supervisor.start_waiting()
            return {"ok": True}
        number, state, origins = _SIGNALS[operation]
        if not supervised.pid or supervised.state not in origins:
            needed = " or ".join(origins)
            return {
                "ok": False,
                "error": f"service {name!r} is {supervised.state}; {operation} needs one that is {needed}",
            }
        if number is None:
            self._supervisor.stop(name)
        else:
            self._supervisor.send_signal(name, number, state)
        return (lambda: supervised.has_ended) if state == STOPPED else {"ok": True}

    def _known(self, name: str) -> str:
        if name not in self._supervisor.asked_for:
            present = ", ".join(sorted(self._supervisor.asked_for)) or "none"
            later = "; one that is declared starts when a test first uses it" if self._add else ""
            raise ManifestError(f"no service {name!r}; this test has {present}{later}")
        return name

    def _status(self) -> dict[str, Any]:
        return {
            name: {
                "state": s.state,
                "pid": s.pid,
                "ready_ms": s.ready_ms,
                "port": s.service.port,
                "failed": s.state == FAILED,
                "error": str(s.error or ""),
                "cause": s.error.cause if s.error else "",
                "kind": s.service.spec.kind,
                "label": s.service.spec.label,
                "needs": list(s.service.spec.needs),
                "host": s.service.endpoint["host"],
                "ports": s.service.endpoint["ports"],
                "health_url": s.service.endpoint.get("health_url", ""),
                "started_at": s.first_start,
            }
            for name, s in self._supervisor.asked_for.items()
        }
