"""The checker: a process that asks services whether they still serve, while the one that runs them goes on.

Asking takes milliseconds, and a service that hangs takes as long as one is patient. A process, because forking one with
threads is not safe, and the services' process forks for each service that it starts.
"""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.services.base import Service

# For all answers together. Each kind's own patience is a second.
_TIMEOUT_S = 3.0


class Checker:
    """Asks services, all at once begun, each answer taken when it is wanted.

    Args:
        services: Whom to ask, in this order.
    """

    def __init__(self, services: list[Service]) -> None:
        self._sound: set[str] = set()
        self._received = b""
        self._deadline = time.monotonic() + _TIMEOUT_S
        self._answers, write_end = os.pipe()
        if os.fork() == 0:
            try:
                for service in services:
                    if service.is_sound():
                        os.write(write_end, f"{service.spec.name}\n".encode())
            finally:
                os._exit(0)
        os.close(write_end)

    def is_sound(self, name: str) -> bool:
        """Say whether a service has answered; wait for that, if it is still to come."""
        while name not in self._sound and self._answers >= 0:
            self._read()
        return name in self._sound

    def close(self) -> None:
        """Wait for no more answers."""
        if self._answers >= 0:
            os.close(self._answers)
            self._answers = -1

    def _read(self) -> None:
        ready, _, _ = select.select([self._answers], [], [], max(0.0, self._deadline - time.monotonic()))
        more = os.read(self._answers, 65536) if ready else b""
        if not more:
            self.close()  # It has asked all of them, or one hangs.
            return
        *names, self._received = (self._received + more).split(b"\n")
        self._sound.update(name.decode() for name in names)
