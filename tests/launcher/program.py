"""The actor (actor.py) from the test's side: what it says of itself, and what it is told to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


class Program:
    """The actor, from the test's side.

    Attributes:
        pid: Its process id as the actor sees it.
        arguments: What the launcher passed on.
        environment: All of its environment.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rw", encoding="utf-8")
        hello = json.loads(self._stream.readline())
        self.pid: int = hello["pid"]
        self.arguments: list[str] = hello["arguments"]
        self.environment: dict[str, str] = hello["environment"]

    @property
    def runtime(self) -> dict[str, Any]:
        """The runtime description that the launcher wrote."""
        description: dict[str, Any] = json.loads(Path(self.environment["REALSERVICES_RUNTIME"]).read_text("utf-8"))
        return description

    def do(self, action: str, **details: object) -> dict[str, Any]:
        """Have the actor do something and return its answer."""
        self.tell(action, **details)
        answer: dict[str, Any] = json.loads(self._stream.readline())
        return answer

    def tell(self, action: str, **details: object) -> None:
        """Have the actor do something that leaves it no time to answer."""
        self._stream.write(json.dumps({"do": action, **details}) + "\n")
        self._stream.flush()

    def exit(self, code: int = 0) -> None:
        """End the program."""
        self.tell("exit", code=code)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._connection.close()
