"""The one `up` of a project: a file in the registry that it holds a lock on, so that a second one names the first.

After a killed one the file stays, unlocked. It names the session, whose services may be just ending: the next `up`
waits for that, because they may have the ports that it wants.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from realservices.contract.errors import RealServicesError
from realservices.contract.registry import present_registries, registry_directory
from realservices.contract.shapes import Rule, check, is_number, load_json
from realservices.control.console import shown_duration
from realservices.system.processes import is_alive, start_of

FOLDER = "groups"
_END_TIMEOUT_S = 15.0
_MOST_BYTES = 4096
# Times that a calendar has.
_TIME = Rule("a time in seconds since the epoch", lambda value: is_number(value) and 0 <= value < 1e11)
_RUN = {"pid": range(1, 1 << 31), "started": str, "since": _TIME, "session?": str, "is_up?": bool}


class AlreadyRunningError(RealServicesError):
    """The project's services run already."""


@dataclass(frozen=True, slots=True)
class Run:
    """An `up` that runs.

    Attributes:
        pid: Its process.
        started: When that was started (`dev.processes.start_of`).
        since: When it was started, in seconds since the epoch.
        session: The directory of its session; "" until it has one.
        is_up: Whether all services have been ready.
    """

    pid: int
    started: str
    since: float
    session: str = ""
    is_up: bool = False

    @property
    def words(self) -> str:
        """Which process it is, and since when."""
        since = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"process {self.pid}, since {since} ({shown_duration(time.time() - self.since)})"


class Running:
    """Where the one `up` of a project is known.

    Attributes:
        run: This process's own, once it has become the one.

    Args:
        root: The project's directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._name = hashlib.sha256(f"{self._root}\0up".encode()).hexdigest()[:24]
        self._path = ""
        self._lock = -1
        self.run: Run | None = None

    def take(self) -> None:
        """Become the one that runs, after the end of what a killed one has left running.

        Raises:
            AlreadyRunningError: Another one runs.
        """
        folder = f"{registry_directory()}/{FOLDER}"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._path = f"{folder}/{self._name}"
        while not self._try_to_take():
            pass
        killed = _read(self._lock)
        if killed and killed.session:
            _await_end(killed.session)
        self.run = Run(os.getpid(), start_of(os.getpid()), time.time())
        self._write()

    def tell(self, *, session: str | None = None, is_up: bool = False) -> None:
        """Say how it is with this one."""
        assert self.run
        self.run = replace(self.run, session=session or self.run.session, is_up=is_up or self.run.is_up)
        self._write()

    def leave(self) -> None:
        """Be the one that runs no more."""
        if self._lock >= 0:
            os.unlink(self._path)
            os.close(self._lock)
            self._lock = -1

    def find(self) -> Run | None:
        """Return the one that runs, if one does."""
        for registry in present_registries():
            try:
                file = os.open(f"{registry}/{FOLDER}/{self._name}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            run = _read(file)
            os.close(file)
            # Not by the lock: to try it would keep one that is just starting from it.
            if run and is_alive(run.pid, run.started):
                return run
        return None

    def _write(self) -> None:
        # In one write, and never shorter than before: who reads at this moment finds one or the other.
        os.pwrite(self._lock, json.dumps(asdict(self.run) if self.run else {}).encode().ljust(_MOST_BYTES), 0)

    def _try_to_take(self) -> bool:
        """Return whether the lock is held now; if not, the file was removed meanwhile."""
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == os.stat(self._path).st_ino:
                self._lock = lock
                return True
        except BlockingIOError:
            other = _read(lock)
            os.close(lock)
            who = other.words if other else "another process, which is just starting"
            kill = f" (or `kill {other.pid}`)" if other else ""
            raise AlreadyRunningError(
                f"the services of {self._root} run already: {who}. Ctrl-C in its terminal{kill} ends them; "
                "`python -m realservices status` says how they are"
            ) from None
        except FileNotFoundError:
            pass
        os.close(lock)
        return False


def _read(file: int) -> Run | None:
    try:
        content = load_json(os.pread(file, _MOST_BYTES, 0))
        check(content, _RUN)
    except (OSError, ValueError):
        return None  # It has not said anything yet.
    return Run(**{key: content[key] for key in Run.__slots__ if key in content})


def _await_end(session: str) -> None:
    """Wait until the process that runs a session's services has ended, which it does when the session has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_END_TIMEOUT_S)
        try:
            connection.connect(f"{session}/control.sock")
            connection.recv(1)  # Nothing is sent: it returns with the end of the process.
        except OSError:
            return  # It has ended.
