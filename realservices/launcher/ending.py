"""When a program must end, and who said so: Bazel's time-out, Ctrl-C, or a service that died under it."""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.tested_program import Program

# How long a program may go on after a service died, and after SIGTERM; Bazel itself kills 15 s after its SIGTERM.
_GRACE_S = 5.0
_TERM_GRACE_S = 8.0
# How often Ctrl-C is pressed, in which time, by somebody who wants the end of a program that takes interrupts itself.
_PRESSED, _PRESSED_S = 3, 2.0


class Ending:
    """The end of one program.

    Attributes:
        signal: Which signal asked for it, None where none did.

    Args:
        program: The program.
    """

    def __init__(self, program: Program) -> None:
        self.signal: int | None = None
        self._program = program
        self._kill_at: float | None = None
        self._interrupts: list[float] = []

    @property
    def timeout_s(self) -> float | None:
        """How long one may wait for something else; None: for ever."""
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())

    def on_signal(self, number: int) -> None:
        """Pass SIGTERM (Bazel's time-out) or Ctrl-C on; a second one ends the program at once."""
        program = self._program
        if number == signal.SIGINT and program.pid and program.takes_interrupts and not self._is_pressed():
            return
        self._kill_at = time.monotonic() + (_TERM_GRACE_S if self.signal is None else 0.0)
        self.signal = number
        if program.pid:
            os.kill(program.pid, number)
        elif program.exit_code is None:
            program.exit_code = 128 + number

    def look(self, *, has_failed: bool) -> None:
        """Kill the program if its time is over.

        Args:
            has_failed: Whether a service is dead that must not be. The program's own errors may say more, but one that
                hangs on a dead service must not run on.
        """
        if self._kill_at is None and self._program.pid and has_failed:
            self._kill_at = time.monotonic() + _GRACE_S
        elif self.signal is None and not has_failed:
            self._kill_at = None  # It has started the dead service again.
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._program.kill()

    def withdraw(self) -> None:
        """Let the program, which is started anew, take its time."""
        self._kill_at = None

    def _is_pressed(self) -> bool:
        """Return whether Ctrl-C is pressed again and again: the program does not listen."""
        self._interrupts = [*self._interrupts[1 - _PRESSED :], time.monotonic()]
        return len(self._interrupts) == _PRESSED and self._interrupts[-1] - self._interrupts[0] < _PRESSED_S
