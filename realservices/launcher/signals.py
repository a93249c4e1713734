"""Signals as events of the supervisor's poll loop: ends asked for from outside, and deaths of children."""

from __future__ import annotations

import os
import signal

from realservices.host.process import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class SignalReader:
    """Turns signals into calls.

    Attributes:
        descriptor: Readable whenever signals have come; call `read` then.

    Args:
        on_end: Called with SIGTERM, SIGINT or SIGHUP.
        on_exit: Called for each child that has ended with process id, wait status, processor time in seconds and
            peak memory in bytes.
    """

    def __init__(self, on_end: Callable[[int], None], on_exit: Callable[[int, int, float, int], None]) -> None:
        self._on_end = on_end
        self._on_exit = on_exit
        self.descriptor, self._write_end = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._write_end, False)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _note)

    def read(self) -> None:
        """Deal with all signals that have come."""
        numbers = set(os.read(self.descriptor, 4096))
        for number in sorted(numbers - {int(signal.SIGCHLD)}):
            self._on_end(number)
        if int(signal.SIGCHLD) in numbers:
            self._reap()

    def close(self) -> None:
        """Listen no more; signals have no effect until another reader listens."""
        signal.set_wakeup_fd(-1)
        os.close(self.descriptor)
        os.close(self._write_end)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, cpu_s, peak_bytes = wait(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._on_exit(pid, status, cpu_s, peak_bytes)


def _note(number: int, frame: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor tells of the signal."""
