"""`BlockingServiceControl` for asynchronous tests: other tasks go on while a service stops or starts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realservices.control.client import WAIT_TIMEOUT_S, BlockingServiceControl

if TYPE_CHECKING:
    from realservices.control.client import ServiceStatus

_ITERATIONS = 10


class ServiceControl:
    """The same as `BlockingServiceControl` for asynchronous tests: other tasks go on while a service stops or starts.

    Args:
        path: Path of the control socket.
    """

    def __init__(self, path: str) -> None:
        self.blocking = BlockingServiceControl(path)

    async def wait(self, *services: str, timeout_s: float = WAIT_TIMEOUT_S) -> None:
        """Wait until the named services (none named: all) are ready."""
        await asyncio.to_thread(self.blocking.wait, *services, timeout_s=timeout_s)

    async def status(self) -> dict[str, ServiceStatus]:
        """Return the state of every service by name."""
        return await asyncio.to_thread(self.blocking.status)

    async def logs(self, service: str, *, lines: int = 50) -> list[str]:
        """Return the last lines that a service wrote, oldest first."""
        return await asyncio.to_thread(self.blocking.logs, service, lines=lines)

    async def stop(self, service: str) -> None:
        """Stop a service in its own orderly way and wait until it has ended."""
        await asyncio.to_thread(self.blocking.stop, service)
        await _see_ends()

    async def kill(self, service: str) -> None:
        """Kill a service, as a crash would, and wait until it has ended."""
        await asyncio.to_thread(self.blocking.kill, service)
        await _see_ends()

    async def start(self, service: str) -> None:
        """Start a stopped service and wait until it is ready. Its address is the same as before."""
        await asyncio.to_thread(self.blocking.start, service)

    async def pause(self, service: str) -> None:
        """Make a service hang: its connections stay open and nothing is answered."""
        await asyncio.to_thread(self.blocking.pause, service)

    async def resume(self, service: str) -> None:
        """Let a paused service go on."""
        await asyncio.to_thread(self.blocking.resume, service)


async def _see_ends() -> None:
    """Let the loop read the ends of connections to a service that has ended.

    A last message, the end behind it and `connection_lost` take an iteration each. Without these, a statement that is
    sent at once fails in another way on a busy machine: asyncpg took the connection for open.
    """
    for _ in range(_ITERATIONS):
        await asyncio.sleep(0)
