"""Where a running group can be found: one file in the registry for each workspace and label.

Whoever runs the group holds a lock on the file, so that nobody takes the file of a killed one for a running group; when
all services are ready, it says where their private directory is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time

from realservices.contract.endpoint_shapes import RUNTIME
from realservices.contract.errors import RealServicesError
from realservices.contract.registry import registry_directory
from realservices.contract.shapes import check, load_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# How long a group that was killed may take until its guardian has cleared up behind it.
_ENDING_S = 10.0
_PAUSE_S = 0.01


class GroupError(RealServicesError):
    """A group that runs already, does not run, or was asked for what it has not."""


class InstanceLock:
    """The place of one group.

    Args:
        label: The group's; the workspace is the one that ``bazel run`` was called in.
        runfiles: Stands for the workspace where there is none.
    """

    def __init__(self, label: str, runfiles: str) -> None:
        self._label = label
        key = f"{os.environ.get('BUILD_WORKSPACE_DIRECTORY') or runfiles}\0{label}"
        self._path = f"{registry_directory()}/groups/{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        self._lock = -1

    def take(self) -> None:
        """Become the group that runs, after the end of one that is just ending.

        Raises:
            GroupError: It runs already.
        """
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        deadline = time.monotonic() + _ENDING_S
        while self._lock < 0:
            lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The last holder may have unlinked the file between our open and our lock.
                if os.fstat(lock).st_ino == os.stat(self._path).st_ino:
                    self._lock = lock
                    continue
            except BlockingIOError:
                private = os.read(lock, 4096).decode(errors="replace")
                is_ending = private != "" and not _answers(private)
                os.close(lock)
                if not is_ending or time.monotonic() > deadline:
                    raise GroupError(
                        f"{self._label} runs already; `-- status` tells more, Ctrl-C in its terminal ends it"
                    ) from None
                time.sleep(_PAUSE_S)
                continue
            except FileNotFoundError:
                pass
            os.close(lock)
        os.truncate(self._lock, 0)

    def announce(self, private: str) -> None:
        """Say where the services' private directory is: they are ready."""
        os.write(self._lock, private.encode())

    def leave(self) -> None:
        """Be the group that runs no more."""
        if self._lock >= 0:
            os.unlink(self._path)
            os.close(self._lock)
            self._lock = -1

    def find(self) -> dict[str, Any] | None:
        """Return the runtime description of the group that runs, or None.

        Raises:
            GroupError: It is just starting.
        """
        try:
            lock = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None  # Killed: nobody holds it.
        except BlockingIOError:
            private = os.read(lock, 4096).decode(errors="replace")
        finally:
            os.close(lock)
        if not private:
            raise GroupError(f"{self._label} is starting; ask again when its services are ready")
        if not _answers(private):
            return None  # It was killed, and its guardian, which holds the lock, is still clearing up.
        try:
            return load_description(f"{private}/runtime.json")
        except FileNotFoundError:
            return None  # It is just ending.

    def get(self) -> dict[str, Any]:
        """Return the runtime description of the group that runs.

        Raises:
            GroupError: None runs, or it is just starting.
        """
        found = self.find()
        if not found:
            raise GroupError(f"{self._label} does not run; start it with `bazel run {self._label}` in another terminal")
        return found


def load_description(path: str) -> dict[str, Any]:
    """Read a runtime description.

    Raises:
        FileNotFoundError: Its launcher has ended.
        GroupError: It is damaged.
    """
    with open(path, "rb") as file:
        text = file.read()
    try:
        content: dict[str, Any] = load_json(text)
        check(content, RUNTIME)
    except ValueError as error:
        raise GroupError(f"runtime description {path} is damaged: {error}; it is written by the launcher") from None
    return content


def _answers(private: str) -> bool:
    """Say whether the launcher with this private directory listens to others."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(f"{private}/control.sock")
        except OSError:
            return False
    return True
