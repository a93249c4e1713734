"""The control socket: a running test asks the launcher to wait for, stop, start, kill or pause a service.

One JSON object per line each way; the client is `realservices.clients.control`. Requests are served in the
supervisor's poll loop; `wait`, `stop` and `kill` are answered when it is so.
"""

from __future__ import annotations

import json
import signal
import socket

from realservices.contract.errors import ServiceError
from realservices.launcher.supervisor import FAILED, PAUSED, READY, STOPPED, WAITING, Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGNALS = {
    "stop": (None, STOPPED),  # None: the kind's own orderly signal.
    "kill": (signal.SIGKILL, STOPPED),
    "pause": (signal.SIGSTOP, PAUSED),
    "resume": (signal.SIGCONT, READY),
}


class ControlServer:
    """Listens on a unix socket and serves any number of connections."""

    def __init__(self, path: str, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(16)
        self._waiting: list[tuple[socket.socket, Callable[[], bool]]] = []
        self._buffers: dict[int, bytes] = {}
        supervisor.watch(self._listener.fileno(), self._accept)

    def answer_waiting(self) -> None:
        """Answer every request whose condition has come true or cannot come true. Call it after each step."""
        for item in list(self._waiting):
            connection, is_done = item
            try:
                if is_done():
                    self._waiting.remove(item)
                    _send(connection, {"ok": True})
            except ServiceError as error:
                self._waiting.remove(item)
                _send(connection, {"ok": False, "error": str(error)})

    def close(self) -> None:
        """Stop listening."""
        self._supervisor.unwatch(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._supervisor.watch(connection.fileno(), lambda: self._receive(connection))

    def _receive(self, connection: socket.socket) -> None:
        number = connection.fileno()
        try:
            received = connection.recv(65536)
        except OSError:
            received = b""
        if not received:
            self._waiting = [item for item in self._waiting if item[0] is not connection]
            self._buffers.pop(number, None)
            self._supervisor.unwatch(number)
            connection.close()
            return
        *lines, rest = (self._buffers.get(number, b"") + received).split(b"\n")
        self._buffers[number] = rest
        for line in lines:
            answer = self._answer(connection, line)
            if answer is not None:
                _send(connection, answer)

    def _answer(self, connection: socket.socket, line: bytes) -> dict[str, Any] | None:
        try:
            request = json.loads(line)
            operation = request["op"]
            if operation == "wait":
                names = request.get("services")
                for name in names or ():
                    self._known(name)
                self._waiting.append((connection, lambda: self._supervisor.is_ready(names)))
                return None
            if operation == "status":
                return {"ok": True, "services": self._status()}
            if operation in ("logs", "start", *_SIGNALS):
                return self._serve(connection, operation, self._known(request["service"]), request)
            known = ["wait", "status", "logs", "start", *_SIGNALS]
            return {"ok": False, "error": f"unknown operation {operation!r}; known are {known}"}
        except (ValueError, KeyError, TypeError, LookupError) as error:
            return {"ok": False, "error": f"bad request {line.decode(errors='replace')}: {error}"}

    def _serve(
        self, connection: socket.socket, operation: str, name: str, request: dict[str, Any]
    ) -> dict[str, Any] | None:
        supervised = self._supervisor.services[name]
        if operation == "logs":
            return {"ok": True, "lines": supervised.log.tail()[-int(request.get("lines", 20)) :]}
        if operation == "start":
            if supervised.pid:
                return {"ok": False, "error": f"service {name!r} runs already (pid {supervised.pid})"}
            supervised.state = WAITING
            self._supervisor.start_waiting()
            return {"ok": True}
        if not supervised.pid:
            return {"ok": False, "error": f"service {name!r} does not run; its state is {supervised.state}"}
        number, state = _SIGNALS[operation]
        self._supervisor.send_signal(name, number or supervised.service.stop_signal, state)
        if state == STOPPED:
            self._waiting.append((connection, lambda: not supervised.pid))
            return None
        return {"ok": True}

    def _known(self, name: str) -> str:
        if name not in self._supervisor.services:
            raise ValueError(f"no service {name!r}; this test has {sorted(self._supervisor.services)}")
        return name

    def _status(self) -> dict[str, Any]:
        return {
            name: {
                "state": s.state,
                "pid": s.pid,
                "ready_ms": s.ready_ms,
                "port": s.service.port,
                "failed": s.state == FAILED,
            }
            for name, s in self._supervisor.services.items()
        }


def _send(connection: socket.socket, answer: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        pass  # The asker is gone; its connection is closed when the loop sees that.
