"""One client of the control socket: what has come from it, and what has not gone to it yet.

Nothing here waits for the client: one poll loop serves all clients, signals and services.
"""

from __future__ import annotations

import json

from realservices.control.messages import MOST_LINE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

_CHUNK_BYTES = 65536
# Of answers that a client does not read. The longest is that of `status`, some hundred bytes for each service.
_MOST_PENDING_BYTES = 4 << 20


class Connection:
    """A client, and the condition on which its current request is answered.

    Attributes:
        stream: The socket.
        condition: When the current request is answered, or None.
        result: What is then said.
        is_over: Whether the client has gone, or has to.
    """

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.stream = stream
        self.condition: Callable[[], bool] | None = None
        self.result: dict[str, Any] = {}
        self.is_over = False
        self._received = bytearray()
        self._looked_at = 0
        self._pending = bytearray()

    @property
    def has_pending(self) -> bool:
        """Whether something waits until the client reads."""
        return bool(self._pending)

    def receive(self) -> None:
        """Take what has come."""
        try:
            received = self.stream.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        self._received += received
        self.is_over = self.is_over or not received

    def next_line(self) -> bytearray | None:
        """Take the next request, unless the current one is unanswered or the line has not ended."""
        end = -1 if self.condition or self.is_over else self._received.find(b"\n", self._looked_at)
        if end < 0:
            self._looked_at = 0 if self.condition else len(self._received)
            self._refuse_flood()
            return None
        line = self._received[:end]
        del self._received[: end + 1]
        self._looked_at = 0
        return line

    def send(self, answer: dict[str, Any]) -> None:
        """Answer the current request, as far as the client reads; `flush` sends the rest."""
        self.condition = None
        self._pending += json.dumps(answer).encode() + b"\n"
        self.flush()
        self.is_over = self.is_over or len(self._pending) > _MOST_PENDING_BYTES

    def flush(self) -> None:
        """Send what the client reads now."""
        try:
            while self._pending:
                del self._pending[: self.stream.send(self._pending)]
        except BlockingIOError:
            pass
        except OSError:
            self._pending.clear()
            self.is_over = True

    def _refuse_flood(self) -> None:
        if len(self._received) > MOST_LINE_BYTES:
            self._received.clear()
            self.send({"ok": False, "error": f"more than {MOST_LINE_BYTES >> 20} MB without the end of a line"})
            self.is_over = True
