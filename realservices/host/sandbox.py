"""The directories that one launcher owns: a short private one for sockets, and the test's filesystem sandbox.

Unix socket paths are limited to 107 bytes and Bazel's TEST_TMPDIR is often longer, so sockets have a directory of
their own directly below /tmp (which Bazel's sandbox makes private to the action).
"""

from __future__ import annotations

import os

from realservices.contract.errors import InfrastructureError

_SHARED_MEMORY = "/dev/shm"
_SHORT_BASES = ("/tmp", _SHARED_MEMORY, "/var/tmp")


class Sandbox:
    """The launcher's directories, made by the constructor and removed by `remove`.

    Attributes:
        private: Short path, 0700: sockets, the runtime description, mount points.
        root: The filesystem sandbox of this test action or shard, with ``home`` and ``tmp`` in it.
        home, temporary: HOME and TMPDIR of the test, in the filesystem sandbox.
        logs: A path for the services' log files.
        memory: A path in shared memory that a service may make its directory, where the machine has that; else None.
    """

    def __init__(self) -> None:
        self.private = _make_short_directory()
        base = os.environ.get("TEST_TMPDIR")
        self.root = f"{base}/sandbox.{os.path.basename(self.private)[3:]}" if base else f"{self.private}/sandbox"
        self.home = f"{self.root}/home"
        self.temporary = f"{self.root}/tmp"
        self.logs = f"{self.private}/logs"
        for path in (self.root, self.home, self.temporary):
            os.mkdir(path, 0o700)
        in_memory = os.access(_SHARED_MEMORY, os.W_OK)
        self.memory = f"{_SHARED_MEMORY}/{os.path.basename(self.private)}" if in_memory else None

    @property
    def paths(self) -> list[str]:
        """What must not outlive the launcher."""
        return [self.private, self.root, *([self.memory] if self.memory else [])]

    def remove(self) -> None:
        """Remove the directories with all that is in them."""
        for path in self.paths:
            remove_tree(path)


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


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except PermissionError:
        os.chmod(os.path.dirname(path), 0o700)
        os.unlink(path)
    except FileNotFoundError:
        return


def _make_short_directory() -> str:
    tried = []
    for base in _SHORT_BASES:
        path = f"{base}/rs.{os.urandom(6).hex()}"
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            tried.append(f"{base}: {error.strerror}")
            continue
        return path
    raise InfrastructureError("sandbox", "no directory with a short path for unix sockets: " + "; ".join(tried))
