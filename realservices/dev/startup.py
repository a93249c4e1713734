"""The start of several services at once: each as soon as it can, an end of all at the first failure or in time.

Which service starts when is its origin's affair (`realservices.sources`): it waits for what a service needs. Here it
is asked for all of them together, and what comes of it is told in one message.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError, ServiceError
from realservices.control.client import BlockingServiceControl, ControlError
from realservices.dev.errors import StartupError
from realservices.dev.threads import in_thread
from realservices.system.os_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services
    from realservices.sources.source import Declared

_SHOWN_LINES = 20


class Startup:
    """One start.

    Args:
        services: Where they come from.
        wanted: What to start, each service after those that it needs.
        on_start: Told of each service as it serves, and how many milliseconds it took from when it could begin: what it
            needs was there. A schema that is new is built in that time.
    """

    def __init__(
        self, services: Services, wanted: Sequence[Declared], on_start: Callable[[Endpoint, float], None]
    ) -> None:
        self._services = services
        self._wanted = {each.name: each for each in wanted}
        self._on_start = on_start
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def pending(self) -> dict[str, list[str]]:
        """The services that do not serve yet, each with those that it waits for."""
        return {name: self._waits_for(name) for name, task in self._tasks.items() if not task.done()}

    async def run(self, timeout_s: float) -> None:
        """Start all.

        Raises:
            StartupError: One did not start, or it took too long.
        """
        for name in self._wanted:
            self._tasks[name] = asyncio.create_task(self._start(name), name=f"start of {name}")
        try:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s, return_when=asyncio.FIRST_EXCEPTION)
            waiting = {name: self._waits_for(name) for name in self._tasks}
        finally:
            self.cancel()
        failed = {name: error for name, task in self._tasks.items() if (error := _failure(task)) is not None}
        left = [name for name, task in self._tasks.items() if not task.done() or task.cancelled()]
        if failed:
            raise StartupError(self._explain_failure(failed, left))
        if left:
            raise StartupError(await self._explain_slowness(left, waiting, timeout_s))

    def cancel(self) -> None:
        """Start nothing more, and wait for nothing more."""
        for task in self._tasks.values():
            task.cancel()

    async def _start(self, name: str) -> None:
        declared = self._wanted[name]
        for needed in declared.needs:
            # A failure there is that service's; this one is simply not started.
            if needed in self._tasks:
                await asyncio.wait([self._tasks[needed]])
                if self._tasks[needed].cancelled() or self._tasks[needed].exception():
                    raise asyncio.CancelledError
        self._on_start(*await in_thread(functools.partial(self._endpoint, declared)))

    def _endpoint(self, declared: Declared) -> tuple[Endpoint, float]:
        begin = time.monotonic()
        endpoint = self._services.endpoint(declared.kind, declared.name)
        if endpoint.disposable and self._services.is_launched(declared.kind):
            # A launcher says where services are before they serve.
            control = BlockingServiceControl(self._services.control)
            control.wait(declared.name)
            return endpoint, control.status()[declared.name].ready_ms or 0.0
        return endpoint, (time.monotonic() - begin) * 1000

    def _waits_for(self, name: str) -> list[str]:
        needs = self._wanted[name].needs
        return [needed for needed in needs if needed in self._tasks and not self._tasks[needed].done()]

    def _explain_failure(self, failed: Mapping[str, BaseException], left: Sequence[str]) -> str:
        lines = [_told(self._wanted[name], error) for name, error in failed.items()]
        if left:
            lines.append(f"  not started because of it, or given up: {', '.join(left)}")
        return "\n".join(lines)

    async def _explain_slowness(
        self, left: Sequence[str], waiting: Mapping[str, Sequence[str]], timeout_s: float
    ) -> str:
        told = []
        for name in left:
            if waiting[name]:
                told.append(f"service {name!r} was not started: it waits for {', '.join(waiting[name])}")
            else:
                told.append(await in_thread(functools.partial(self._slow, name, timeout_s)))
        ready = ", ".join(name for name in self._wanted if name not in left) or "none"
        return "\n".join([*told, f"  ready in time: {ready}"])

    def _slow(self, name: str, timeout_s: float) -> str:
        try:
            control = BlockingServiceControl(self._services.control)
            log = control.logs(name, lines=_SHOWN_LINES)
        except RealServicesError:
            return (
                f"service {name!r} was still being prepared after {timeout_s:g} s (startup_timeout): a schema that is "
                "new is built first"
            )
        cause = (
            f"was not ready within {timeout_s:g} s (startup_timeout); raise it in LauncherConfig if that is too short"
        )
        return str(ServiceError(name, self._wanted[name].kind, cause, log))


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _told(declared: Declared, error: BaseException) -> str:
    if isinstance(error, (ControlError, ServiceError)):
        return str(error)  # It begins with the service's name.
    if isinstance(error, OSError):
        error = explain(error, "it cannot be started")
    words = str(error) if isinstance(error, RealServicesError) else f"{type(error).__name__}: {error}"
    # What is wrong with a declaration is told with its file and name.
    return words if f": service {declared.name!r}: " in words else f"service {declared.name!r}: {words}"
