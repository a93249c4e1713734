"""The server of one build.

It listens on a unix socket, in a directory that nobody else enters, and where there are migrators on loopback.
"""

from __future__ import annotations

import os
import signal
import time

from realservices.contract.errors import TemplateError
from realservices.host.namespaces import fork_into_process_namespace
from realservices.host.process import describe_exit, spawn
from realservices.kinds.mariadb.server.settings import server_command
from realservices.kinds.mariadb.template.bootstrap import ADMINISTRATOR, bootstrap, environment, last_words
from realservices.kinds.mariadb.template.noted import STEADY_SETTINGS
from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal
from realservices.services.base import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_READY_TIMEOUT_S = 60.0
# All removed rows are cleared up then.
_STOP_TIMEOUT_S = 600.0
_PAUSE_S = 0.005


class Engine:
    """A server on a new data directory.

    Attributes:
        data: The data directory.
        socket: Where it listens.

    Args:
        server: Path of mariadbd.
        settings: The user's.
        work: A directory for all of it.
        port: Of loopback; 0: it does not listen there.
    """

    def __init__(self, server: str, settings: Mapping[str, str], work: str, port: int = 0) -> None:
        self.data = f"{work}/data"
        self.socket = f"{work}/socket"
        self._server = server
        self._settings = settings
        self._work = work
        self._port = port
        self._log = f"{work}/log"
        self._pid = 0

    def start(self) -> Connection:
        """Make the data directory and start the server; return a connection of the administrator.

        Raises:
            TemplateError: It does not start.
        """
        bootstrap(self._server, self.data, self._settings, self._log)
        own = STEADY_SETTINGS | {"socket": self.socket, "pid-file": f"{self._work}/pid"}
        own |= {"bind-address": HOST, "port": str(self._port)} if self._port else {"skip-networking": ""}
        command = server_command(self._server, self.data, self._settings, own)
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        fork = fork_into_process_namespace
        self._pid = spawn(command, env=environment(self._work), output=output, cwd=self.data, fork=fork)
        os.close(output)
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                return Connection(self.socket, ADMINISTRATOR)
            except (OSError, MariaDBRefusal) as error:
                if self._has_ended() or time.monotonic() > deadline:
                    raise TemplateError(f"MariaDB does not start: {error}. It says:\n{last_words(self._log)}") from None
            time.sleep(_PAUSE_S)

    def stop(self) -> None:
        """End it in order, so that all it knows is in its files.

        Raises:
            TemplateError: It does not end well.
        """
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while not self._has_ended():
            if time.monotonic() > deadline:
                raise TemplateError(f"MariaDB does not end within {_STOP_TIMEOUT_S:.0f} s:\n{last_words(self._log)}")
            time.sleep(_PAUSE_S)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _has_ended(self) -> bool:
        if not self._pid:
            return True
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return False
        self._pid = 0
        if status:
            raise TemplateError(f"MariaDB {describe_exit(status)}. It says:\n{last_words(self._log)}")
        return True
