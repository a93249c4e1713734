"""One run of `up`: its services' start, what happens to them while they serve, and their end, by one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK
from realservices.contract.errors import RealServicesError
from realservices.control.client import BlockingServiceControl
from realservices.control.log_files import LogFile
from realservices.dev.errors import PortTakenError, StartupError
from realservices.dev.launcher import DevLauncher
from realservices.dev.threads import in_thread
from realservices.sources.build_progress import present_builds
from realservices.sources.declared_kind import declared_kind
from realservices.sources.session import session_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.control.client import ServiceStatus
    from realservices.control.run_record import RunRecord
    from realservices.control.screen import Screen
    from realservices.dev.config import LauncherConfig
    from realservices.sources.source import Declared

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROGRESS_PAUSE_S = 0.1
_LOG_PAUSE_S = 0.1
# From here on somebody who sees no progress is told what takes so long.
_LONG_S = 1.0
_READY = "ready"


class Serving:
    """One run.

    Args:
        root: The project's directory.
        config: What is started, and how.
        wanted: What that is, in order.
        running: Where this run is known.
        shows_logs: Whether to show what services write.
    """

    def __init__(
        self, root: Path, config: LauncherConfig, wanted: Sequence[Declared], running: RunRecord, *, shows_logs: bool
    ) -> None:
        self._root = root
        self._kinds = {each.name: each.kind for each in wanted}
        self._running = running
        self._shows_logs = shows_logs
        self._launcher = DevLauncher(config, on_ready=self._on_ready, handles_signals=False)
        self._screen: Screen
        self._ends = asyncio.Event()
        self._logs: dict[str, LogFile] = {}
        self._told: set[str] = set()

    def end(self) -> None:
        """End soon: the services, and then this run."""
        self._ends.set()

    async def run(self, screen: Screen) -> int:
        """Start the services, serve until a signal, end them, and return the exit code.

        Raises:
            StartupError: One did not start.
        """
        self._screen = screen
        self._install_handlers()
        aside = [asyncio.create_task(self._show_progress()), asyncio.create_task(self._show_logs())]
        try:
            if not await self._start():
                return EXIT_INTERRUPTED
            aside[0].cancel()
            screen.progress("")
            code = await self._serve()
        finally:
            for task in aside:
                task.cancel()
            screen.progress("")
            await self._launcher.shutdown()
            self._show_last_words()
        screen.ended()
        return code

    # Start

    async def _start(self) -> bool:
        """Return whether all serve; not, if it was interrupted."""
        start = asyncio.create_task(self._launcher.run())
        await self._first_of(start)
        if not start.done():
            start.cancel()
            await asyncio.wait([start])
            self._screen.say("interrupted; nothing is left")
            return False
        if start.result():
            return True
        failure = self._launcher.failure or StartupError("the services did not start")
        if isinstance(failure, PortTakenError):
            raise StartupError(f"{failure}. Here that is `up --dynamic-ports`") from None
        raise failure

    def _on_ready(self, endpoint: Endpoint) -> None:
        startup_ms = self._launcher.startup_ms[endpoint.name] if endpoint.disposable else None
        self._screen.ready(endpoint.name, endpoint.url, startup_ms)
        if endpoint.log and self._shows_logs:
            self._logs[endpoint.name] = LogFile(Path(endpoint.log))

    async def _show_progress(self) -> None:
        begin = time.monotonic()
        while True:
            await asyncio.sleep(_PROGRESS_PAUSE_S)
            starting = [name for name, needs in self._launcher.pending.items() if not needs]
            building = await self._being_built(starting)
            elapsed_s = time.monotonic() - begin
            if self._screen.shows_progress:
                self._screen.progress(
                    _progress([each for each in starting if each not in building], building, elapsed_s)
                )
            elif elapsed_s > _LONG_S:
                for name in building:
                    if name not in self._told:
                        self._told.add(name)
                        self._screen.say(f"building the schema of {name} …")

    async def _being_built(self, starting: Sequence[str]) -> list[str]:
        """Return those that the services' process does not know of yet, because their schema is built first."""
        candidates = [name for name in starting if declared_kind(self._kinds[name]).has_template]
        control = session_control()
        if not candidates or not control:
            return candidates
        with contextlib.suppress(RealServicesError):
            known = await in_thread(BlockingServiceControl(control).status)
            return [name for name in candidates if name not in known]
        return []

    # Service

    async def _serve(self) -> int:
        launcher = self._launcher
        # Where all are external, nothing answers for them, and nothing ends with this process.
        self._running.tell(directory=None if launcher.control else "", is_up=True)
        self._screen.all_ready(
            launcher.endpoints, launcher.startup_ms,
            pid=os.getpid(), project=str(self._root), discovery=str(launcher.discovery.discovery_dir),
        )  # fmt: skip
        watch = asyncio.create_task(self._watch())
        await self._first_of(watch)
        if watch.done():
            self._screen.complain(f"{watch.result()}; ending")
            return EXIT_ERROR
        watch.cancel()
        self._screen.say(f"ending {', '.join(reversed(list(launcher.endpoints)))}")
        return EXIT_OK

    async def _watch(self) -> str:
        """Tell what happens to services, until the process that runs them has ended; return how that was noticed."""
        if not self._launcher.control:
            await asyncio.Event().wait()  # All are external.
        control = BlockingServiceControl(self._launcher.control)
        states = {name: _READY for name, each in self._launcher.endpoints.items() if each.disposable}
        while True:
            try:
                found = await in_thread(functools.partial(control.watch, states))
            except RealServicesError as error:
                return f"the process that ran the services has ended ({error})"
            for name, status in found.items():
                if status.state != states.get(name, _READY):
                    self._tell(name, status)
            states = {name: status.state for name, status in found.items()}

    def _tell(self, name: str, status: ServiceStatus) -> None:
        if status.error:
            self._screen.failed(name, status.error)
        else:
            self._screen.changed(name, status.state)

    async def _show_logs(self) -> None:
        while self._shows_logs:
            for name, log in list(self._logs.items()):
                self._screen.wrote(name, log.new_lines())
            await asyncio.sleep(_LOG_PAUSE_S)

    def _show_last_words(self) -> None:
        for name, log in self._logs.items():
            self._screen.wrote(name, [*log.new_lines(), *log.rest()])
            log.close()

    # End

    async def _first_of(self, task: asyncio.Task[bool] | asyncio.Task[str]) -> None:
        """Wait until a task has ended, or this run is to end."""
        ends = asyncio.create_task(self._ends.wait())
        await asyncio.wait([task, ends], return_when=asyncio.FIRST_COMPLETED)
        ends.cancel()

    def _install_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # Ignored: by nohup, or by a shell that has started this in the background. It is meant so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        if not self._ends.is_set():
            self.end()
            return
        # Once more: at once, then. The services' process ends them by itself.
        self._running.leave()
        os._exit(128 + number)


def _progress(starting: Sequence[str], building: Sequence[str], elapsed_s: float) -> str:
    parts = [f"starting {', '.join(starting)}"] if starting else []
    steps = {build.service: build.words for build in present_builds()}
    parts += [steps.get(name, f"building the schema of {name}") for name in building]
    return f"{'; '.join(parts)} … {elapsed_s:.1f} s" if parts else ""
