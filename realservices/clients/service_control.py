"""`BlockingServiceControl` for asynchronous tests: other tasks go on while a service stops or starts."""

from __future__ import annotations

from realservices.clients.asynchronous_twins import in_thread
from realservices.control.client import BlockingServiceControl


class ServiceControl:
    """The same as `BlockingServiceControl` for asynchronous tests: other tasks go on while a service stops or starts.

    Args:
        path: Path of the control socket.
    """

    def __init__(self, path: str) -> None:
        self.blocking = BlockingServiceControl(path)

    wait = in_thread(BlockingServiceControl.wait)
    status = in_thread(BlockingServiceControl.status)
    logs = in_thread(BlockingServiceControl.logs)
    stop = in_thread(BlockingServiceControl.stop)
    kill = in_thread(BlockingServiceControl.kill)
    start = in_thread(BlockingServiceControl.start)
    pause = in_thread(BlockingServiceControl.pause)
    resume = in_thread(BlockingServiceControl.resume)
