"""The scratch directories of one launcher: a short private one for sockets, and one for the files of the test.

Unix socket paths are limited to 107 bytes and Bazel's TEST_TMPDIR is often longer, so sockets have a directory of
their own in this user's directory below /tmp (which Bazel's sandbox makes private to the action).
"""

from __future__ import annotations

import os

from realservices.contract.errors import InfrastructureError
from realservices.host.abandoned import remove_abandoned
from realservices.host.scratch import make_private, scratch_base
from realservices.system.abandoned_directories import MEMORY, RUN, new_id
from realservices.system.directory_safety import SHARED_MEMORY
from realservices.system.os_errors import explain
from realservices.system.removal import remove_tree

_MOST_SOCKET_BYTES = 107  # unix(7), without the byte that ends the path.


class LauncherDirectories:
    """The launcher's directories: named by the constructor, made by `create`, removed by `remove`.

    The guardian must know the names before there is anything to clean up.

    Attributes:
        name: By which the launcher's processes and directories are known.
        private: Short path, 0700: sockets, the runtime description, mount points.
        root: For the files of this test action or shard, with ``home`` and ``tmp`` in it.
        home, temporary: HOME and TMPDIR of the test, in ``root``.
        logs: A path for the services' log files.
        memory: A path in shared memory, where the machine has that, else None; `create_memory` makes the directory.

    Args:
        above: The directory of a session, if the launcher lives in one.

    Raises:
        InfrastructureError: There is no place for it.
    """

    def __init__(self, above: str = "") -> None:
        self.name = new_id()
        self._shared = scratch_base()
        self.private = f"{above}/{self.name}" if above else f"{self._shared}/{RUN}{self.name}"
        # A worker that runs actions in the root directory makes it begin with two slashes.
        base = os.environ.get("TEST_TMPDIR", "").replace("//", "/")
        self.root = f"{base}/scratch.{self.name}" if base else f"{self.private}/scratch"
        self.home = f"{self.root}/home"
        self.temporary = f"{self.root}/tmp"
        self.logs = f"{self.private}/logs"
        self.memory = _memory_path(self.name)
        self._locks: list[int] = []

    def create(self) -> None:
        """Make the directories, and remove what killed launchers have left beside them.

        Raises:
            InfrastructureError: One of them cannot be made.
        """
        for path in filter(None, (self._shared, self.memory and os.path.dirname(self.memory))):
            remove_abandoned(path)
        self._locks.append(make_private(self.private))
        for path in (self.root, self.home, self.temporary):
            try:
                os.mkdir(path, 0o700)
            except OSError as error:
                raise InfrastructureError("directories", str(explain(error, f"cannot make {path}"))) from None

    def create_memory(self) -> str:
        """Make the directory in shared memory, unless it is there, and return its path.

        Raises:
            InfrastructureError: It cannot be made.
        """
        assert self.memory
        if not os.path.isdir(self.memory):
            self._locks.append(make_private(self.memory))
        return self.memory

    def socket_name(self, name: str, ending: str) -> str:
        """Return as much of a directory's name as the path of a unix socket in it leaves room for.

        Args:
            name: The name, of any length.
            ending: What follows it in the longest path.
        """
        room = _MOST_SOCKET_BYTES - len(os.fsencode(f"{self.private}/{ending}"))
        return os.fsdecode(os.fsencode(name)[:room])

    @property
    def paths(self) -> list[str]:
        """What must not outlive the launcher."""
        return [self.private, self.root, *([self.memory] if self.memory else [])]

    def remove(self) -> list[str]:
        """Remove the directories with all that is in them; return what cannot be removed, in words."""
        left = []
        for path in self.paths:
            try:
                remove_tree(path)
            except OSError as error:
                left.append(str(explain(error, f"cannot remove {path}")))
        while self._locks:
            os.close(self._locks.pop())
        return left


def _memory_path(name: str) -> str | None:
    try:
        return f"{scratch_base((SHARED_MEMORY,))}/{MEMORY}{name}"
    except InfrastructureError:
        return None
