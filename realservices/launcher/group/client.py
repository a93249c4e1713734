"""The second terminal: asks the launcher of a running group by its control socket."""

from __future__ import annotations

import json
import socket

from realservices.control.answers import read_answer, receive_line
from realservices.launcher.group.instance_lock import GroupError
from realservices.launcher.supervised import FAILED, STARTING, STOPPED, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class GroupClient:
    """One running group.

    Args:
        label: The group's, for messages.
        description: Its runtime description.
    """

    def __init__(self, label: str, description: dict[str, Any]) -> None:
        self._label = label
        self._services: dict[str, dict[str, Any]] = description["services"]
        self._control: str = description["control"]

    def status(self) -> list[str]:
        """Return a line for each service."""
        states = {name: each for name, each in self._ask(op="status")["services"].items() if name in self._services}
        width = max(map(len, states), default=0)
        return [
            f"{name:<{width}}  {self._services[name]['url'] or '(no port)'}  {_words(states[name])}" for name in states
        ]

    def log(self, name: str) -> str:
        """Return all that a service has written."""
        with open(self._known(name)["log"], encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, name: str) -> None:
        """Stop a service and wait for its end; one that does not run is left as it is."""
        self._known(name)
        state = self._status(name)["state"]
        if state not in (STOPPED, FAILED, WAITING):
            self._ask(op="kill" if state == STARTING else "stop", service=name)

    def restart(self, name: str) -> float:
        """Stop a service if it runs, start it again, and return how many milliseconds that start took."""
        self.stop(name)
        self._ask(op="start", service=name)
        self._ask(op="wait", services=[name])
        return self._status(name)["ready_ms"] or 0.0

    def _status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] | None = self._ask(op="status")["services"].get(name)
        if status is None:
            raise GroupError(f"{self._label} says nothing of service {name!r}")
        return status

    def _known(self, name: str) -> dict[str, Any]:
        if name not in self._services:
            raise GroupError(f"{self._label} has no service {name!r}; it has {', '.join(self._services)}")
        return self._services[name]

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(self._control)
                connection.sendall(json.dumps(request).encode() + b"\n")
                line = receive_line(connection, bytearray())
            if not line:
                raise GroupError(f"{self._label} is ending")
            answer = read_answer(line, request["op"])
        except OSError as error:
            raise GroupError(f"{self._label} does not answer: {error}") from None
        except ValueError as error:
            raise GroupError(f"{self._label} does not answer as it should: {error}") from None
        if not answer["ok"]:
            raise GroupError(answer["error"])
        return answer


def _words(status: dict[str, Any]) -> str:
    process = f" (process {status['pid']})" if status["pid"] else ""
    return f"{status['state']}{process}"
