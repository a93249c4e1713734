"""The terminal's foreground, for a test under `bazel run`: who is not there is stopped when he reads what is typed.

Bazel's test-setup.sh runs a test by `set -m … &`, so in a process group of its own, and leaves the foreground with
itself; a debugger's prompt would be stopped by SIGTTIN (termios(3), "tcsetpgrp"). A test that was started in the
background takes nothing.
"""

from __future__ import annotations

import os
import signal
import sys

_STDIN = 0


class Foreground:
    """This process group's place in the terminal's foreground, which is taken over from its parent.

    Attributes:
        is_ours: Whether what is typed comes to this process group.
    """

    def __init__(self) -> None:
        self._before = _foreground_of_our_parent()
        if self._before:
            _set(os.getpgrp())
        self.is_ours = bool(self._before) or _is_foreground()

    def give_back(self) -> None:
        """Leave the foreground to whom it was taken from. Does nothing where it was not taken."""
        if not self._before:
            return
        before, self._before = self._before, 0
        try:
            _set(before)
            # Ctrl-Z has stopped the shell that waits in this group; we do not stop, and it has to go on.
            os.killpg(os.getpgrp(), signal.SIGCONT)
        except OSError:
            pass  # The terminal, or who had it, is gone.


def _foreground_of_our_parent() -> int:
    """Return the process group in the foreground, if it has started ours and left it in the background, else 0."""
    try:
        if sys.platform != "linux" or not os.isatty(_STDIN):
            return 0
        foreground, ours = os.tcgetpgrp(_STDIN), os.getpgrp()
        if foreground == ours or os.getpgid(parent_of(ours)) != foreground:
            return 0
    except (OSError, ValueError):
        return 0
    return foreground


def parent_of(pid: int) -> int:
    """Return the process id of a process's parent, see proc(5).

    Raises:
        OSError: There is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        # A program's name is in parentheses, and may hold some.
        return int(file.read().rpartition(b")")[2].split()[1])


def _is_foreground() -> bool:
    try:
        return os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) == os.getpgrp()
    except OSError:
        return False


def _set(group: int) -> None:
    # From the background this sends SIGTTOU. Ctrl-Z would leave a terminal on which nobody runs: the developer's shell
    # waits for test-setup.sh only.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.tcsetpgrp(_STDIN, group)
