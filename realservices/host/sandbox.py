"""The directories that one launcher owns: a short private one for sockets, and the test's filesystem sandbox.

Unix socket paths are limited to 107 bytes and Bazel's TEST_TMPDIR is often longer, so sockets have a directory of
their own directly below /tmp (which Bazel's sandbox makes private to the action).
"""

from __future__ import annotations

import fcntl
import os

from realservices.contract.errors import InfrastructureError

SHARED_MEMORY = "/dev/shm"
MEMORY_PREFIX = "realservices."
PRIVATE_PREFIX = "rs."
SHORT_BASES = ("/tmp", SHARED_MEMORY, "/var/tmp")


class Sandbox:
    """The launcher's directories: named by the constructor, made by `create`, removed by `remove`.

    The guardian must know the names before there is anything to clean up.

    Attributes:
        private: Short path, 0700: sockets, the runtime description, mount points.
        root: The filesystem sandbox of this test action or shard, with ``home`` and ``tmp`` in it.
        home, temporary: HOME and TMPDIR of the test, in the filesystem sandbox.
        logs: A path for the services' log files.
        memory: A path in shared memory, where the machine has that, else None; `create_memory` makes the directory.

    Args:
        private: The private path, which ends in "/rs." and something random; by default a new one.
    """

    def __init__(self, private: str = "") -> None:
        self.private = private or f"{_short_base()}/{PRIVATE_PREFIX}{os.urandom(6).hex()}"
        base = os.environ.get("TEST_TMPDIR")
        self.root = f"{base}/sandbox.{os.path.basename(self.private)[3:]}" if base else f"{self.private}/sandbox"
        self.home = f"{self.root}/home"
        self.temporary = f"{self.root}/tmp"
        self.logs = f"{self.private}/logs"
        in_memory = os.access(SHARED_MEMORY, os.W_OK)
        self.memory = f"{SHARED_MEMORY}/{MEMORY_PREFIX}{os.path.basename(self.private)}" if in_memory else None
        self._memory_lock = self._private_lock = -1

    def create(self) -> None:
        """Make the directories.

        Raises:
            InfrastructureError: One of them cannot be made.
        """
        for path in (self.private, self.root, self.home, self.temporary):
            try:
                os.mkdir(path, 0o700)
            except OSError as error:
                raise InfrastructureError("sandbox", f"cannot make {path}: {error.strerror}") from None
        # Says that somebody lives in it: `clean` removes what nobody has locked.
        self._private_lock = lock_directory(self.private)

    def create_memory(self) -> str:
        """Make the directory in shared memory, unless it is there, and return its path.

        Whoever makes one removes those of launchers that were killed together with their guardians (Bazel ends a
        sandbox by killing all that is in it): shared memory belongs to no sandbox.
        """
        assert self.memory
        if self._memory_lock < 0:
            _remove_abandoned_memory()
        while self._memory_lock < 0:
            os.mkdir(self.memory, 0o700)
            self._memory_lock = lock_directory(self.memory)
        return self.memory

    @property
    def paths(self) -> list[str]:
        """What must not outlive the launcher."""
        return [self.private, self.root, *([self.memory] if self.memory else [])]

    def remove(self) -> None:
        """Remove the directories with all that is in them."""
        for path in self.paths:
            remove_tree(path)
        if self._private_lock >= 0:
            os.close(self._private_lock)
            self._private_lock = -1


def _remove_abandoned_memory() -> None:
    for entry in os.scandir(SHARED_MEMORY):
        if entry.name.startswith(MEMORY_PREFIX):
            lock = lock_directory(entry.path, wait=False)
            if lock >= 0:
                remove_tree(entry.path)
                os.close(lock)


def lock_directory(path: str, *, wait: bool = True) -> int:
    """Lock a directory for as long as this process lives; return the descriptor, or -1 if it is taken or gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Before it was locked, it may have been taken for an abandoned one.
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return -1


def remove_tree(path: str) -> None:
    """Remove a directory tree, also where a test took away its own permission to do so; never follow a link.

    Not shutil.rmtree: its import takes 8 ms (it loads every compression library), which each test would pay.
    """
    try:
        entries = list(os.scandir(path))
    except PermissionError:
        os.chmod(path, 0o700)
        entries = list(os.scandir(path))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            _unlink(entry.path)
    try:
        os.rmdir(path)
    except PermissionError:
        os.chmod(os.path.dirname(path), 0o700)
        os.rmdir(path)
    except FileNotFoundError:
        return  # Somebody else removes it, too: the guardian, or `clean`.


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except PermissionError:
        os.chmod(os.path.dirname(path), 0o700)
        os.unlink(path)
    except FileNotFoundError:
        return


def _short_base() -> str:
    for base in SHORT_BASES:
        if os.access(base, os.W_OK | os.X_OK):
            return base
    raise InfrastructureError(
        "sandbox",
        f"no directory with a short path for unix sockets: none of {', '.join(SHORT_BASES)} can be written to",
    )
