"""An entry of the pool of warm services: the first session that claims it has them, with the session's directory.

The other side is `realservices.system.warm_pool`. There is one entry for a key at a time: a process that cannot make
it, because another one has done so, has services that nobody needs.
"""

from __future__ import annotations

import os
import socket

from realservices.system.locks import lock_file
from realservices.system.warm_pool import CLAIM, END, LOOK, socket_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BACKLOG = 64
# Who connects says what it wants at once.
_TIMEOUT_S = 0.2
_MOST_BYTES = 16


class PoolEntry:
    """It stands until `withdraw`, or the end of the process.

    Attributes:
        descriptor: Becomes readable when somebody asks; call `answer` then.

    Args:
        key: For whom it is.
        describe: Returns what waits, as JSON.

    Raises:
        OSError: There is one, or there is no room for the socket.
        RealServicesError: There is no registry.
    """

    def __init__(self, key: str, describe: Callable[[], bytes]) -> None:
        self._describe = describe
        self._path = socket_path(key)
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        self._lock = lock_file(f"{self._path}.lock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Kept until everything has ended: who has asked for that waits for it.
        self._waiting: list[socket.socket] = []
        try:
            _unlink(self._path)  # Of one that was killed.
            self._listener.bind(self._path)
            self._listener.listen(_BACKLOG)
        except OSError:
            self._listener.close()
            os.close(self._lock)
            raise
        self.descriptor = self._listener.fileno()

    def answer(self, directory: str, held: list[int]) -> bytes:
        """Deal with one who asks.

        Args:
            directory: The session's directory.
            held: What its first process holds.

        Returns:
            `CLAIM`: the services have gone to somebody, and the entry is withdrawn; `END`: they are to end; else "".
        """
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return b""  # No descriptor is left; it asks again, or another one does.
        connection.settimeout(_TIMEOUT_S)
        words = b""
        try:
            words = connection.recv(_MOST_BYTES)
            if words == CLAIM:
                socket.send_fds(connection, [directory.encode()], held)
            elif words == LOOK:
                connection.sendall(self._describe())
        except OSError:
            words = b""  # It has gone.
        if words == END:
            self._waiting.append(connection)
            return END
        connection.close()
        if words != CLAIM:
            return b""
        self.withdraw()
        return CLAIM

    def withdraw(self) -> None:
        """Leave the pool. Sessions that connect too late see the end of their connection."""
        if self.descriptor >= 0:
            self.descriptor = -1
            _unlink(self._path)
            self._listener.close()
            # While it is still locked: a process that has opened it already sees that it is another one's no more.
            _unlink(f"{self._path}.lock")
            os.close(self._lock)

    def tell_end(self) -> None:
        """Tell those who have asked for the end that it has come."""
        for connection in self._waiting:
            try:
                connection.sendall(b"ended")
            except OSError:
                pass  # It did not wait.
            connection.close()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
