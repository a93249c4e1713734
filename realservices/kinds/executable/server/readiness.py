"""How a service of the user's own says that it serves: by a port, by HTTP, by a line of its log, or by a program.

The supervisor calls `attempt` whenever something has happened or a pause is over. An attempt never blocks: an HTTP
answer and the end of a probe program are events, for which the supervisor waits along with all others.

The manifest says which one by ``{"type": "tcp", "ports": [names]}``, ``{"type": "http", "port": name, "path": path,
"status": [[first, last]…]}``, ``{"type": "log", "pattern": regular expression}`` or ``{"type": "exec", "program":
runfiles path, "args": [[part…]…]}``.
"""

from __future__ import annotations

import os
import select
import socket
import time

from realservices.host.process import describe_exit, kill_session, spawn
from realservices.services.port_states import PortStates, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.1
# Starting a program costs more than connecting does.
_SHORTEST_EXEC_PAUSE_S = 0.01
_SHOWN_BYTES = 400
_TELLING_SILENCE_S = 0.2
_MOST_HTTP_BYTES = 4096


class Readiness:
    """Base of all ways to ask.

    Attributes:
        descriptor: What becomes readable when `attempt` should go on, or -1.
        deadline: When an attempt that is under way is given up (monotonic), or 0.
        seen: What the last attempt saw, in words.
    """

    shortest_pause_s = _SHORTEST_PAUSE_S
    # Of the time that the start has taken: what a pause adds to it at most.
    pause_share = 0.1

    def __init__(self) -> None:
        self.descriptor = -1
        self.deadline = 0.0
        self.seen = "it was never asked"

    def attempt(self, now: float, elapsed_s: float) -> bool:
        """Ask, or go on asking; True once the service says that it serves.

        Args:
            now: The monotonic time.
            elapsed_s: Time since the service's start.
        """
        raise NotImplementedError

    def is_telling(self, line: str) -> bool:
        """Return whether a log line is a reason to ask: by default any is, as a server often speaks when it listens."""
        return True

    def pause_s(self, now: float, elapsed_s: float) -> float:
        """Return how long to wait for the next attempt: a share of the time that the start has taken already."""
        if self.deadline:
            return max(0.0, self.deadline - now)
        return min(max(self.shortest_pause_s, elapsed_s * self.pause_share), _LONGEST_PAUSE_S)

    def child_exited(self, pid: int, status: int) -> bool:
        """Take note of a dead child; say whether it was the probe."""
        return False

    def last_seen(self, now: float) -> str:
        """Say what the last attempt saw, or that it still waits."""
        return self.seen

    def drop(self) -> None:
        """Give up an attempt that is under way."""


class TcpReadiness(Readiness):
    """Ports accept connections."""

    def __init__(self, ports: PortStates, names: list[str]) -> None:
        super().__init__()
        self._ports = ports
        self._names = names

    def attempt(self, now: float, elapsed_s: float) -> bool:
        """Connect to those that were closed."""
        self.seen = "a port that accepts no connection"
        return self._ports.are_open(self._names)


class LogReadiness(Readiness):
    """A line of the log matches a regular expression."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__()
        self._pattern = pattern
        self._is_matched = False
        self.seen = f"no line of its log that matches {pattern.pattern!r}"

    def is_telling(self, line: str) -> bool:
        """Look for the pattern."""
        self._is_matched = self._is_matched or bool(self._pattern.search(line))
        return self._is_matched

    def attempt(self, now: float, elapsed_s: float) -> bool:
        """Return whether the line has come."""
        return self._is_matched

    def pause_s(self, now: float, elapsed_s: float) -> float:
        """Return a long pause: only a line changes anything."""
        return _LONGEST_PAUSE_S

    def drop(self) -> None:
        """Forget the line: it was written by a process that has ended."""
        self._is_matched = False


class HttpReadiness(Readiness):
    """A GET is answered with one of some statuses (RFC 9112; the connection is closed after each)."""

    def __init__(self, host: str, port: int, path: str, statuses: list[list[int]]) -> None:
        super().__init__()
        self._host, self._port = host, port
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: realservices\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        self._what = f"GET http://{host}:{port}{path}"
        self._statuses = statuses
        self._connection: socket.socket | None = None
        self._received = b""
        self._sent_at = 0.0

    def attempt(self, now: float, elapsed_s: float) -> bool:
        """Send the request, or look what has come back."""
        try:
            if not self._connection:
                self._send(now, elapsed_s)
            return self._receive(now, elapsed_s)
        except OSError as error:
            self.drop()
            reason = (os.strerror(error.errno) if error.errno else "timed out").lower()
            self.seen = f"{reason} on {self._host}:{self._port} ({self._what})"
            return False

    def drop(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
        self._connection, self._received, self.descriptor, self.deadline = None, b"", -1, 0.0

    def is_answered(self) -> bool:
        """Ask once, and wait for the answer: of a server that has answered before."""
        self.drop()
        begin = time.monotonic()
        is_ready = self.attempt(begin, 0.0)
        while not is_ready and self.descriptor >= 0:
            select.select([self.descriptor], [], [], max(0.0, self.deadline - time.monotonic()))
            is_ready = self.attempt(time.monotonic(), 0.0)
        self.drop()
        return is_ready

    def _send(self, now: float, elapsed_s: float) -> None:
        self._connection = connect(self._host, self._port)
        self._connection.setblocking(False)
        self._connection.send(self._request)
        self.descriptor = self._connection.fileno()
        self._sent_at = now
        # A server may accept long before it answers: the longer it has taken, the longer it is given.
        self.deadline = now + max(1.0, elapsed_s / 2)

    def _receive(self, now: float, elapsed_s: float) -> bool:
        assert self._connection
        try:
            chunk = self._connection.recv(_MOST_HTTP_BYTES)
        except BlockingIOError:
            if now >= self.deadline:
                self._conclude(now)
            return False
        self._received += chunk
        status = _status_of(self._received)
        if any(first <= status <= last for first, last in self._statuses):
            self.drop()
            return True
        if not chunk or len(self._received) >= _MOST_HTTP_BYTES:
            self._conclude(now)
        return False

    def last_seen(self, now: float) -> str:
        """Say what came back last; a request that has just been sent says less than the one before it."""
        if self._connection and now - self._sent_at > _TELLING_SILENCE_S:
            self._conclude(now)
        return self.seen

    def _conclude(self, now: float) -> None:
        status = _status_of(self._received)
        head, _, body = self._received.partition(b"\r\n\r\n")
        if status:
            what = f"HTTP {status} {_shown(body)}"
        elif self._received:
            what = f"no HTTP: {_shown(head)}"
        else:
            what = f"no answer for {now - self._sent_at:.1f} s"
        self.seen = f"{what} ({self._what})"
        self.drop()


class ExecReadiness(Readiness):
    """A program exits with code 0.

    Attributes:
        env: Its environment; set before the first attempt.
        argv: What to run; set likewise.
    """

    shortest_pause_s = _SHORTEST_EXEC_PAUSE_S
    pause_share = 0.25

    def __init__(self, directory: str, output: str) -> None:
        super().__init__()
        self.env: dict[str, str] = {}
        self.argv: list[str] = []
        self._directory = directory
        self._output = output
        self._pid = 0
        self._succeeded: bool | None = None

    def is_telling(self, line: str) -> bool:
        """Do not run a program for each line."""
        return False

    def attempt(self, now: float, elapsed_s: float) -> bool:
        """Run the program, or say how its last run ended."""
        if self._succeeded is not None:
            succeeded, self._succeeded = self._succeeded, None
            return succeeded
        if not self._pid:
            self._run(now, elapsed_s)
        elif now >= self.deadline:
            self.drop()
            self.seen = f"{self._name} still ran when it was killed; its output: {self._written()}"
        return False

    def child_exited(self, pid: int, status: int) -> bool:
        """Take note of the program's end."""
        if pid != self._pid:
            return False
        self._pid, self.deadline = 0, 0.0
        self._succeeded = os.waitstatus_to_exitcode(status) == 0
        self.seen = f"{self._name} {describe_exit(status)}; its output: {self._written()}"
        return True

    def drop(self) -> None:
        """Kill the program; the supervisor reaps it as a child that is nobody's."""
        if self._pid:
            kill_session(self._pid)
        self._pid, self.deadline, self._succeeded = 0, 0.0, None

    @property
    def _name(self) -> str:
        return os.path.basename(self.argv[0])

    def _run(self, now: float, elapsed_s: float) -> None:
        output = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._pid = spawn(self.argv, env=self.env, output=output, cwd=self._directory)
        finally:
            os.close(output)
        self.deadline = now + max(5.0, elapsed_s / 2)

    def _written(self) -> str:
        with open(self._output, "rb") as file:
            return _shown(file.read(_SHOWN_BYTES + 1))


def _status_of(answer: bytes) -> int:
    """Return the status of an HTTP answer, or 0 where there is none yet."""
    line, end, _ = answer.partition(b"\r\n")
    words = line.split(None, 2)
    is_status = end and len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit()
    return int(words[1]) if is_status else 0


def _shown(content: bytes) -> str:
    text = content[:_SHOWN_BYTES].decode(errors="replace").strip()
    return repr(text) if text else "(nothing)"
