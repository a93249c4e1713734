"""An event loop in a thread of its own, for work that must not take a test's time or block its loop.

Databases are cloned and dropped here ahead of and behind the tests, and the blocking fixtures talk to PostgreSQL here,
so that they also work where the calling thread already runs a loop.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from realservices.isolation.own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

T = TypeVar("T")
_STOP_TIMEOUT_S = 2.0
_IN_CHILD = "In the child make a connection of its own: cloned_database.connect_sync(), or by the fixture's url"


class BackgroundLoop:
    """Starts its thread at the first use. The thread is a daemon: it never keeps a process alive.

    A forked child has not got the thread: there it refuses, and `of_this_process` gives the child another one.
    """

    def __init__(self) -> None:
        self._process = OwnProcess()
        self._childs: BackgroundLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start ``work`` on the loop; return the future of its result.

        Raises:
            ForkedProcessError: This is a forked child.
        """
        try:
            self._process.require("a connection, or database, of a test", _IN_CHILD)
        except BaseException:
            work.close()  # Nobody will await it.
            raise
        return asyncio.run_coroutine_threadsafe(work, self._started())

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run ``work`` on the loop and wait for its result, from any other thread."""
        return self.submit(work).result(timeout_s)

    def of_this_process(self) -> BackgroundLoop:
        """Return this loop, or in a forked child the child's own."""
        if self._process.is_this:
            return self
        if self._childs is None or not self._childs._process.is_this:
            self._childs = BackgroundLoop()
        return self._childs

    def stop(self) -> None:
        """Cancel what runs and end the thread. Waits for two seconds at most; does nothing if it never started."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not self._process.is_this:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_TIMEOUT_S)
        self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="realservices-background", daemon=True
                )
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_STOP_TIMEOUT_S / 2))
    finally:
        loop.close()
