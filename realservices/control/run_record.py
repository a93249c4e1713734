"""The record of services that run for a developer: who runs them, since when and where, in a file in the registry.

Each project's `up` and each `service_group` has one, and holds a lock on it, so that a second one is refused and told
of the first. After a killed one the file stays. It names the directory of the services, which may be just ending: the
next one waits for that, because they may have the ports that it wants.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass, replace

from realservices.contract.errors import RealServicesError
from realservices.contract.shapes import Rule, check, is_number, load_json
from realservices.control.console import shown_duration
from realservices.control.messages import SOCKET
from realservices.system.locks import lock_file
from realservices.system.process_ids import is_alive, start_of
from realservices.system.registry_directory import present_registries, registry_directory

FOLDER = "groups"
_END_TIMEOUT_S = 15.0
_PAUSE_S = 0.01
_MOST_BYTES = 4096
# Times that a calendar has.
_TIME = Rule("a time in seconds since the epoch", lambda value: is_number(value) and 0 <= value < 1e11)
_RUN = {"pid": range(1, 1 << 31), "started": str, "since": _TIME, "directory?": str, "is_up?": bool}


class AlreadyRunningError(RealServicesError):
    """The services run already."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the record says.

    Attributes:
        pid: The process that runs the services, or has them run.
        started: When that was started (`start_of`).
        since: The same, in seconds since the epoch.
        directory: Where the services' control socket is; "" until there is one.
        is_up: Whether all services have been ready.
    """

    pid: int
    started: str
    since: float
    directory: str = ""
    is_up: bool = False

    @property
    def words(self) -> str:
        """Which process it is, and since when."""
        since = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"process {self.pid}, since {since} ({shown_duration(time.time() - self.since)})"

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return is_alive(self.pid, self.started)

    @property
    def is_ending(self) -> bool:
        """Whether the services, which have been up, are ending: their process takes no more requests."""
        if not self.is_alive:
            return True  # The guardian of a killed one keeps the record until it has cleaned up.
        return self.is_up and bool(self.directory) and not answers(self.directory)


class RunRecord:
    """The record of one project or group.

    Args:
        key: What tells it from all others.
        title: What runs, for messages.
        status: The command that says how it is, for messages.
    """

    def __init__(self, key: str, title: str, status: str) -> None:
        self._name = hashlib.sha256(key.encode()).hexdigest()[:24]
        self._title = title
        self._status = status
        self._path = ""
        self._lock = -1
        self._run: Run | None = None

    def take(self) -> None:
        """Take the record. Where its last holder is ending, or was killed and its services still end, wait for that.

        Raises:
            AlreadyRunningError: Another one runs.
        """
        folder = f"{registry_directory()}/{FOLDER}"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._path = f"{folder}/{self._name}"
        deadline = time.monotonic() + _END_TIMEOUT_S
        while self._lock < 0:
            try:
                self._lock = lock_file(self._path)
            except BlockingIOError:
                other = _read_at(self._path)
                if not (other and other.is_ending) or time.monotonic() > deadline:
                    raise self._already_running(other) from None
                time.sleep(_PAUSE_S)
        killed = _read(self._lock)
        if killed and killed.directory:
            _await_end(killed.directory)
        self._run = Run(os.getpid(), start_of(os.getpid()), time.time())
        self._write()

    def tell(self, *, directory: str | None = None, is_up: bool = False) -> None:
        """Update the record."""
        assert self._run
        known = self._run.directory if directory is None else directory
        self._run = replace(self._run, directory=known, is_up=is_up or self._run.is_up)
        self._write()

    def leave(self) -> None:
        """Remove the record and release its lock."""
        if self._lock >= 0:
            os.unlink(self._path)
            os.close(self._lock)
            self._lock = -1

    def find(self) -> Run | None:
        """Return the one that runs, if one does."""
        for registry in present_registries():
            run = _read_at(f"{registry}/{FOLDER}/{self._name}")
            # Not by the lock: to try it would keep one that is just starting from it.
            if run and run.is_alive:
                return run
        return None

    def _write(self) -> None:
        # In one write, and never shorter than before: who reads at this moment finds one or the other.
        os.pwrite(self._lock, json.dumps(asdict(self._run) if self._run else {}).encode().ljust(_MOST_BYTES), 0)

    def _already_running(self, other: Run | None) -> AlreadyRunningError:
        who = other.words if other else "another process, which is just starting"
        kill = f" (or `kill {other.pid}`)" if other else ""
        return AlreadyRunningError(
            f"{self._title} runs already: {who}. Ctrl-C in its terminal{kill} ends it; "
            f"`{self._status}` says how its services are"
        )


def answers(directory: str) -> bool:
    """Return whether a process takes requests over the control socket in a directory."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(f"{directory}/{SOCKET}")
        except OSError:
            return False
    return True


def _read_at(path: str) -> Run | None:
    """Return what a record says that may be gone, or may be another process's."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(file)
    finally:
        os.close(file)


def _read(file: int) -> Run | None:
    try:
        content = load_json(os.pread(file, _MOST_BYTES, 0))
        check(content, _RUN)
    except (OSError, ValueError):
        return None  # It has not said anything yet.
    return Run(**{key: content[key] for key in Run.__slots__ if key in content})


def _await_end(directory: str) -> None:
    """Wait until the process that runs services has ended, which it does when their session has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_END_TIMEOUT_S)
        try:
            connection.connect(f"{directory}/{SOCKET}")
            connection.recv(1)  # Nothing is sent: it returns with the end of the process.
        except OSError:
            return  # It has ended.
