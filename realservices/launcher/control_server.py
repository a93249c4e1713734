"""The control socket: a running test asks the launcher to wait for, stop, start, kill or pause a service.

One JSON object per line each way, answered in the order of the requests; the client is
`realservices.control.client`. Requests are served in the supervisor's poll loop; `wait`, `stop` and `kill` are
answered when it is so, `watch` when a service is in another state than the asker knows.

Whatever a client sends or does not read, others are served, and the process goes on.
"""

from __future__ import annotations

import os
import signal
import socket

from realservices.contract.errors import ManifestError, RealServicesError, ServiceError
from realservices.contract.manifest_shapes import check_service
from realservices.contract.shapes import shown
from realservices.control.messages import REQUESTS, read_request
from realservices.control.states import FAILED, PAUSED, READY, STARTING, STOPPED, WAITING
from realservices.launcher.connection import Connection
from realservices.system.os_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.launcher.checkouts import Checkouts
    from realservices.launcher.supervisor import Supervisor

# Operation: signal (None: the kind's own orderly one), state that it leads to, states that it starts from. A server
# that is starting may not have its signal handlers yet.
_SIGNALS = {
    "stop": (None, STOPPED, (READY, PAUSED)),
    "kill": (signal.SIGKILL, STOPPED, (STARTING, READY, PAUSED, FAILED)),
    "pause": (signal.SIGSTOP, PAUSED, (READY,)),
    "resume": (signal.SIGCONT, READY, (PAUSED,)),
}
_MOST_CONNECTIONS = 512
_MOST_SHOWN_BYTES = 200


class ControlServer:
    """Listens on a unix socket and serves any number of connections.

    Args:
        path: The socket's.
        supervisor: Whose services these are.
        add: Makes a further service from its entry of a manifest and the directory of runfiles, unless it is there.
            None: no more come.
        is_lazy: Services that are declared are added when they are first asked for.
        checkouts: What tests check databases out of. None: the target has not asked for it.
    """

    def __init__(
        self,
        path: str,
        supervisor: Supervisor,
        add: Callable[[dict[str, Any], str], None] | None = None,
        *,
        is_lazy: bool = False,
        checkouts: Checkouts | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._add = add
        self._is_lazy = is_lazy
        self._checkouts = checkouts
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(f"{path}.new")
        # Clients that do not block, as those of asyncio, are refused when the queue is full.
        self._listener.listen(1024)
        # Whoever finds the path must find somebody who listens: between bind and listen, connections are refused.
        os.rename(f"{path}.new", path)
        # Who is about to connect may have gone again.
        self._listener.setblocking(False)
        self._connections: list[Connection] = []
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        supervisor.watch(self._listener.fileno(), self._accept)

    def answer_waiting(self) -> None:
        """Answer every request whose condition has come true or cannot come true. Call it after each step."""
        for connection in [*self._connections]:
            while connection.condition:
                try:
                    if not connection.condition():
                        break
                    connection.send({"ok": True} | connection.result)
                except (ServiceError, LookupError) as error:
                    connection.send({"ok": False, "error": str(error)})
                self._serve_received(connection)

    def close(self) -> None:
        """Stop listening."""
        if self._reserve >= 0:
            self._supervisor.unwatch(self._listener.fileno())
            self._listener.close()
            os.close(self._reserve)
            self._reserve = -1

    def hang_up(self) -> None:
        """Stop listening and end all connections."""
        self.close()
        for connection in self._connections:
            self._supervisor.unwatch(connection.stream.fileno())
            connection.stream.close()
        self._connections = []

    def _accept(self) -> None:
        try:
            stream, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # No descriptor is left. One that keeps knocking must not keep this loop busy.
            os.close(self._reserve)
            try:
                self._listener.accept()[0].close()
            except OSError:
                pass
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            return
        if len(self._connections) >= _MOST_CONNECTIONS:
            for other in [*self._connections]:
                self._receive(other)  # It may have gone.
        connection = Connection(stream)
        self._connections.append(connection)
        if len(self._connections) > _MOST_CONNECTIONS:
            connection.send({"ok": False, "error": f"more than {_MOST_CONNECTIONS} connections; close some"})
            connection.is_over = True
        self._go_on(connection)

    def _receive(self, connection: Connection) -> None:
        connection.flush()
        connection.receive()
        self._serve_received(connection)

    def _serve_received(self, connection: Connection) -> None:
        while (line := connection.next_line()) is not None:
            answer = self._answer(line, connection)
            if callable(answer):
                connection.condition, connection.result = answer, {}
            elif "after" in answer:
                connection.condition, connection.result = answer.pop("after"), answer
            else:
                connection.send(answer)
        self._go_on(connection)

    def _go_on(self, connection: Connection) -> None:
        """Wait for what the client does next, or hang up."""
        if not connection.is_over:
            writes = connection.has_pending
            self._supervisor.watch(connection.stream.fileno(), lambda: self._receive(connection), writes=writes)
        elif connection in self._connections:
            self._connections.remove(connection)
            self._supervisor.unwatch(connection.stream.fileno())
            connection.condition = None
            connection.stream.close()
            if self._checkouts:
                self._checkouts.forget(connection)

    def _answer(self, line: bytearray, connection: Connection) -> dict[str, Any] | Callable[[], bool]:
        """Return the answer to a request, or the condition on which it is ``{"ok": true}``."""
        try:
            request = read_request(line)
            operation = request["op"]
            known = [each for each in REQUESTS if each != "add" or self._add]
            if operation not in known:
                return {"ok": False, "error": f"unknown operation {shown(operation)}; known are {known}"}
            if operation == "wait":
                names = [self._known(name) for name in request.get("services") or self._supervisor.asked_for]
                return lambda: self._supervisor.is_ready(names)
            if operation == "status":
                return {"ok": True, "services": self._status()}
            if operation == "watch":
                return self._changes(request["states"])
            if operation == "add":
                return self._added(request)
            if operation in ("checkout", "release"):
                return self._checked_out(request, connection)
            return self._serve(operation, self._known(request["service"]), request)
        except ManifestError as error:
            return {"ok": False, "error": str(error)}
        except ValueError as error:
            return {"ok": False, "error": f"bad request {shown(bytes(line[:_MOST_SHOWN_BYTES]))}: {error}"}

    def _added(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have a service added; the answer is its endpoint, ``after`` it is ready."""
        assert self._add
        check_service(request["service"], self._supervisor.services, "service")
        name = request["service"]["name"]
        try:
            self._add(request["service"], request["runfiles"])
        except (RealServicesError, ValueError) as error:
            return {"ok": False, "error": str(error)}
        except OSError as error:
            return {"ok": False, "error": str(explain(error, f"service {name!r} cannot be started"))}
        answer: dict[str, Any] = {}

        def is_ready() -> bool:
            # Not before: one that loses its port starts again on another.
            answer["endpoint"] = self._supervisor.services[name].service.endpoint
            return self._supervisor.is_ready([name])

        answer["after"] = is_ready
        return answer

    def _checked_out(self, request: dict[str, Any], connection: Connection) -> dict[str, Any]:
        if self._checkouts is None:
            raise ManifestError(
                f"{request['op']}: this target has no check-outs; set 'checkout = True' on its real_service_test"
            )
        act = self._checkouts.check_out if request["op"] == "checkout" else self._checkouts.release
        return act(request, connection)

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
            return {"ok": True, "lines": lines[max(0, len(lines) - request.get("lines", 20)) :]}
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
            later = "; one that is declared starts when a test first uses it" if self._is_lazy else ""
            raise ManifestError(f"no service {shown(name)}; this test has {present}{later}")
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
