"""The guardian: a process that outlives a killed launcher just long enough to clean up after it.

It holds the read end of a pipe whose write end only the launcher has. End-of-file without a word means that the
launcher died: the guardian then kills every process that carries the launcher's tag and removes their shared memory and
the launcher's directories. The launcher's locks are inherited, so nobody gets its ports before that is done.
"""

from __future__ import annotations

import os
import signal

from realservices.host.abandoned import end_abandoned_directory, end_processes
from realservices.host.blocks import remove_left_blocks
from realservices.host.process_tags import tag_this_process
from realservices.host.unpacked_templates import remove_half_made_templates
from realservices.system import locks
from realservices.system.removal import discard_tree

_FIRST_OWN_DESCRIPTOR = 3


class Guardian:
    """Watches over the launcher from `start_guardian` until `dismiss`.

    Attributes:
        pid: The guardian's process id.
    """

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe

    def dismiss(self) -> str:
        """Tell the guardian that the launcher has cleaned up itself, and wait for its end.

        Returns:
            A warning, if the guardian was not there any more: nobody has watched over the launcher since.
        """
        is_gone = False
        try:
            os.write(self._pipe, b"x")
        except BrokenPipeError:
            is_gone = True
        os.close(self._pipe)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # Its end was noted already.
        if not is_gone:
            return ""
        return (
            f"the guardian (process {self.pid}), which cleans up after a launcher that was killed, was killed itself. "
            "All is cleaned up this time; had this launcher been killed, too, `python -m realservices clean` would be "
            "needed. Find out what kills it: an out-of-memory killer, or a script that ends processes by name"
        )


class Home:
    """The directory of a session that a launcher lives in with others.

    Args:
        path: Removed when nobody lives in it any more.
        lock: This launcher's lock on it.
        not_inherited: Descriptors that tell others whether the session goes on, which the guardian must not hold.
    """

    def __init__(self, path: str, lock: int, not_inherited: list[int]) -> None:
        self.path = path
        self.lock = lock
        self.not_inherited = not_inherited


def start_guardian(name: str, paths: list[str], home: Home | None = None) -> Guardian:
    """Fork the guardian.

    Args:
        name: The launcher's, which all processes that belong to it carry as their tag.
        paths: Directories to remove after the launcher's sudden death.
        home: The session's directory, where there is one.
    """
    read_end, write_end = os.pipe()
    # What ends a test must not end the guardian: blocked before there is one, and in it for ever.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(read_end)
        return Guardian(pid, write_end)
    try:
        for descriptor in (write_end, *(home.not_inherited if home else ())):
            os.close(descriptor)
        os.setsid()
        # It belongs to this launcher, and must not be ended with another one that this one runs in.
        tag_this_process(name)
        # A reader of the test's output must not wait for the guardian.
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if os.read(read_end, 1) == b"":
            _clean_up(name, paths)
            _let_go(home)
            remove_left_blocks()
            if home:
                _outlive(home)
    finally:
        os._exit(0)


def _clean_up(name: str, paths: list[str]) -> None:
    end_processes(name)
    for path in paths:
        discard_tree(path)
    remove_half_made_templates()


def _let_go(home: Home | None) -> None:
    """Close all that was inherited, so that ports and all else are free from now on; only a session's lock is kept."""
    if home:
        os.dup2(home.lock, _FIRST_OWN_DESCRIPTOR)
    os.closerange(_FIRST_OWN_DESCRIPTOR + bool(home), os.sysconf("SC_OPEN_MAX"))


def _outlive(home: Home) -> None:
    """Remove a session's directory if its other processes end without having done that."""
    locks.lock(_FIRST_OWN_DESCRIPTOR)
    try:
        end_abandoned_directory(home.path)
    except OSError:
        return
