"""ibazel: after each build, starts again what the build has changed.

With the tag ``ibazel_notify_changes``, `ibazel run` leaves the group running and writes a line to its standard input
when a build has ended, ``IBAZEL_BUILD_COMPLETED SUCCESS`` or ``… FAILURE`` (bazelbuild/bazel-watcher,
internal/ibazel/command/notify_command.go; the variable that says so stands there, too).

A server of the user's own whose files have changed is restarted. Anything else (a schema, a declaration) changes what
others were told at their start, so the whole group begins anew.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.manifest import Manifest
    from realservices.launcher.supervisor import Supervisor

_VARIABLE = "IBAZEL_NOTIFY_CHANGES"
_BUILT = b"IBAZEL_BUILD_COMPLETED SUCCESS"
_INPUT = 0

# Of each file: its time, size and inode.
_Stamp = tuple[tuple[int, int, int] | None, ...]


def is_under_ibazel() -> bool:
    """Return whether ibazel will tell of builds."""
    return bool(os.environ.get(_VARIABLE))


class Reloader:
    """Knows which files each service runs on, and what they were like when it was started.

    Args:
        on_other_change: Called when more has changed than servers can be restarted for.
        say: Tells the developer.
    """

    def __init__(
        self, manifest: Manifest, runfiles: str, say: Callable[[str], None], on_other_change: Callable[[], None]
    ) -> None:
        self._manifest = manifest
        self._runfiles = runfiles
        self._say = say
        self._on_other_change = on_other_change
        self._received = b""
        self._declaration = _content(manifest.path)
        self._stamps = {spec.name: self._stamp(spec.name) for spec in manifest.services}

    def watch(self, supervisor: Supervisor) -> None:
        """Listen to ibazel from now on."""
        supervisor.watch(_INPUT, lambda: self._read(supervisor))

    def _read(self, supervisor: Supervisor) -> None:
        chunk = os.read(_INPUT, 4096)
        if not chunk:
            supervisor.unwatch(_INPUT)
        *lines, self._received = (self._received + chunk).split(b"\n")
        if _BUILT in (line.strip() for line in lines):
            self._reload(supervisor)

    def _reload(self, supervisor: Supervisor) -> None:
        stamps = {name: self._stamp(name) for name in self._stamps}
        changed = [spec for spec in self._manifest.services if stamps[spec.name] != self._stamps[spec.name]]
        others = [spec.name for spec in changed if spec.kind != "executable"]
        if others or _content(self._manifest.path) != self._declaration:
            what = f"{', '.join(others)} changed" if others else "the declaration changed"
            self._say(f"{what}: beginning anew")
            self._on_other_change()
            return
        self._stamps = stamps
        for spec in changed:
            self._say(f"{spec.name} changed: starting it again")
            supervisor.restart(spec.name)

    def _stamp(self, name: str) -> _Stamp:
        files = self._manifest.test.file_lists.get(name)
        paths = _content(f"{self._runfiles}/{files}").decode().splitlines() if files else []
        # Files of other repositories are named from the folder beside.
        return tuple(_of_file(os.path.normpath(f"{self._runfiles}/{self._manifest.test.workspace}/{p}")) for p in paths)


def _of_file(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        print(f"realservices: cannot read {path}: {error.strerror}", file=sys.stderr, flush=True)
        return b""
