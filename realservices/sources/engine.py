"""The process that runs a session's services: started by the process that needs the first one, ended with the session.

It is the launcher in its serve mode (launcher/session/serve.py); all processes of the session speak with the same
one. A session that was taken over has it already.
"""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any

from realservices.control.client import BlockingServiceControl
from realservices.control.messages import SOCKET
from realservices.sources.errors import UnreachableServiceError
from realservices.sources.package import package_command
from realservices.system.locks import FileLock
from realservices.system.os_errors import explain
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from realservices.sources.session import Session

_START_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 15.0


class Engine:
    """The session's service process.

    Args:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.control = str(session.directory / SOCKET)

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Have a service started, unless it runs already; return its endpoint when it serves.

        Raises:
            UnreachableServiceError: The process cannot be started.
            ControlError: The service cannot be started.
        """
        self.start()
        return BlockingServiceControl(self.control).add(entry, "")

    def start(self) -> None:
        """Start the process, unless one of the session's processes has done so.

        Raises:
            UnreachableServiceError, InfrastructureError: It cannot be started.
        """
        if os.path.exists(self.control):  # noqa: PTH110 - asked before each use
            return
        with FileLock(str(self._session.directory / "engine.lock")):
            if not os.path.exists(self.control):  # noqa: PTH110
                self._start()

    def end(self) -> None:
        """End the process, if the session ends with this one, and wait until nothing is left of the services."""
        if not (self._session.is_first and os.path.exists(self.control)):  # noqa: PTH110
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_END_TIMEOUT_S)
            try:
                connection.connect(self.control)
                self._session.say_farewell()
                connection.recv(1)  # Nothing is sent: it returns when all services have ended.
            except OSError:
                return  # It was killed: its guardian clears up.

    def _start(self) -> None:
        warmth = self._session.warmth
        command = package_command("serve", str(self._session.directory), *(warmth.arguments if warmth else ()))
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_START_TIMEOUT_S,
                check=False, env=own_environment(),
            )  # fmt: skip
        except OSError as error:
            raise explain(error, f"the services' process ({' '.join(command)}) does not start") from None
        except subprocess.TimeoutExpired as error:
            raise UnreachableServiceError(
                f"the services' process ({' '.join(command)}) does not start: {error}"
            ) from None
        if done.returncode:
            raise UnreachableServiceError(f"the services' process does not start: {done.stderr.strip()}")
