"""Work that is done once, a while after it was asked for: nothing polls where nothing is left to do."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any


class Later:
    """Runs one function in whichever event loop asks for it, outside of any test's context: its tasks end with it.

    Args:
        work: The function.
        delay_s: How long after the first request.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], delay_s: float) -> None:
        self._work = work
        self._delay_s = delay_s
        self._timers: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        """Have the work done in the running loop, if one runs. A second request before that is the same one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop in self._timers:
            return
        self._timers = {each: timer for each, timer in self._timers.items() if not each.is_closed()}
        self._timers[loop] = loop.call_later(self._delay_s, self._start, loop, context=contextvars.Context())

    async def end(self) -> None:
        """Take a request of the running loop back, and wait for what is being done in it."""
        loop = asyncio.get_running_loop()
        if timer := self._timers.pop(loop, None):
            timer.cancel()
        await asyncio.gather(*(task for task in self._tasks if task.get_loop() is loop), return_exceptions=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timers.pop(loop, None)
        task = loop.create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
