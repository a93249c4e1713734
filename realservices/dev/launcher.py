"""`DevLauncher`: all services that a project declares, started together.

It has no engine of its own: services come from where those of any test come from (`realservices.sources`): a launcher
of Bazel, servers of others (``TEST_*``), or this session's own, whose process ends with the session whatever ends
that. Within pytest the services are the whole session's, so `shutdown` leaves them to it; elsewhere they are this
launcher's and end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from realservices.contract.errors import RealServicesError
from realservices.contract.user_variables import DISCOVERY_DIR
from realservices.control.client import BlockingServiceControl
from realservices.dev.config import LauncherConfig
from realservices.dev.discovery import DIRECTORY, ServiceDiscovery
from realservices.dev.errors import StartupError, UnhealthyError
from realservices.dev.fixed_ports import pin_ports
from realservices.dev.health import complaint_of
from realservices.dev.launched_services import wanted_services
from realservices.dev.startup import Startup
from realservices.dev.threads import in_thread
from realservices.isolation.isolation_manager import IsolationManager, process_manager
from realservices.system.removal import discard_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services

_log = logging.getLogger("realservices.dev_launcher")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOWN_LINES = 20


class DevLauncher:
    """Starts services, and ends what it has started.

    Attributes:
        failure: Why `run` has returned False.
        endpoints: What runs, by name, passwords included.
        started_ms: When the start of each began, in milliseconds after that of `run`, by name.
        startup_ms: How many milliseconds it took, by name.

    Args:
        config: How; by default as `LauncherConfig()`.
        on_ready: Called with each service as it serves.
        handles_signals: Whether SIGINT and SIGTERM end the services, where they are this launcher's.
    """

    def __init__(
        self,
        config: LauncherConfig | None = None,
        *,
        on_ready: Callable[[Endpoint], None] | None = None,
        handles_signals: bool = True,
    ) -> None:
        self.config = config or LauncherConfig()
        self.startup_ms: dict[str, float] = {}
        self.started_ms: dict[str, float] = {}
        self._begin = 0.0
        self._on_ready = on_ready
        self._handles_signals = handles_signals
        self.failure: StartupError | None = None
        self._endpoints: dict[str, Endpoint] = {}
        self._manager: IsolationManager | None = None
        self._discovery: ServiceDiscovery | None = None
        self._named_before: str | None = None
        self._startup: Startup | None = None
        self._handlers: dict[int, Any] = {}
        self._ending: asyncio.Task[None] | None = None

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """What runs, by name, passwords included."""
        return self._endpoints

    @property
    def pending(self) -> Mapping[str, list[str]]:
        """While `run` is under way: the services that do not serve yet, each with those that it waits for."""
        return self._startup.pending if self._startup else {}

    @property
    def control(self) -> str:
        """Path of the control socket of the process that runs the services. Empty: all are external."""
        is_run = self._manager and any(each.disposable for each in self._endpoints.values())
        return self._manager.services.control if self._manager and is_run else ""

    @property
    def discovery(self) -> ServiceDiscovery:
        """Where the services are, as other processes can find it, too.

        Raises:
            StartupError: Nothing has been started.
        """
        if self._discovery is None:
            raise StartupError(
                "DevLauncher: no service has been started; await run() first (the fixture real_services does)"
            )
        return self._discovery

    async def run(self) -> bool:
        """Start the services, those that need nothing of each other at the same time.

        SIGINT and SIGTERM end them in order from now on, where they are this launcher's.

        Returns:
            Whether all serve. If one does not, `failure` says why, and the others have been ended.
        """
        if self._endpoints:
            return True
        self.failure = None
        self.startup_ms, self.started_ms, self._begin = {}, {}, time.monotonic()
        try:
            await self._start()
        except (RealServicesError, OSError) as error:
            self.failure = error if isinstance(error, StartupError) else StartupError(str(error))
            _log.error("%s", self.failure)
            await self.shutdown()
            return False
        except BaseException:
            await self.shutdown()
            raise
        return True

    async def wait_for_healthy(self, timeout: float | None = None) -> None:
        """Wait until every service is healthy: answers at its health URL without a fault, or accepts connections.

        Args:
            timeout: Seconds; by default `LauncherConfig.startup_timeout`.

        Raises:
            StartupError: They have not been started.
            UnhealthyError: One does not get healthy in time.
        """
        if not self._endpoints:
            raise self.failure or StartupError(
                "DevLauncher: no service has been started; await run() first (the fixture real_services does)"
            )
        timeout_s = self.config.startup_timeout if timeout is None else timeout
        lines = [
            f"service {name!r} is not healthy within {timeout_s:g} s: {words}{await self._last_words(name)}"
            for name, words in (await self.complaints(timeout_s)).items()
            if words
        ]
        if lines:
            raise UnhealthyError("\n".join(lines))

    async def complaints(self, timeout: float = 0.0) -> dict[str, str]:
        """Return what is wrong with each service after ``timeout`` seconds of asking, by name; "": nothing."""
        endpoints = list(self._endpoints.values())
        found = await asyncio.gather(*(complaint_of(each, timeout) for each in endpoints))
        return {endpoint.name: words for endpoint, words in zip(endpoints, found, strict=True)}

    async def shutdown(self) -> None:
        """Remove the discovery files and end what this launcher has started, each before what it needs."""
        if self._startup:
            self._startup.cancel()
        self._forget_files()
        manager, self._manager = self._manager, None
        if manager is not None and not manager.is_the_plugins:
            if manager.services.ends_session:
                await self._stop_in_order(manager.services)
            await manager.close_loop()
            await in_thread(manager.close)
        self._endpoints = {}
        self._restore_handlers()

    async def __aenter__(self) -> Self:
        if not await self.run():
            assert self.failure
            raise self.failure
        try:
            await self.wait_for_healthy()
        except BaseException:
            await self.shutdown()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    # Start

    async def _start(self) -> None:
        self._manager = manager = process_manager()
        services = manager.services
        wanted = wanted_services(services, self.config.services)
        if self._handles_signals and not manager.is_the_plugins:
            self._install_handlers()
        self._discovery = ServiceDiscovery(self._make_directory(services))
        with contextlib.ExitStack() as stack:
            if not self.config.dynamic_ports and services.embedded:
                await in_thread(functools.partial(pin_ports, services, wanted, self.config.port_ranges, stack))
            self._startup = Startup(services, wanted, self._on_start)
            await self._startup.run(self.config.startup_timeout)

    def _on_start(self, endpoint: Endpoint, elapsed_ms: float) -> None:
        self._endpoints[endpoint.name] = endpoint
        self.discovery.write(endpoint, self.control if endpoint.disposable else "")
        self.startup_ms[endpoint.name] = elapsed_ms
        self.started_ms[endpoint.name] = max(0.0, (time.monotonic() - self._begin) * 1000 - elapsed_ms)
        if self._on_ready:
            self._on_ready(endpoint)

    def _make_directory(self, services: Services) -> Path:
        directory = self.config.discovery_dir or DIRECTORY
        if self.config.test_mode and self.config.discovery_dir is None:
            # Of this launcher alone: processes of a session end at different times.
            directory = Path(tempfile.mkdtemp(prefix="discovery.", dir=services.private))
        directory = directory.absolute()
        self._named_before = os.environ.get(DISCOVERY_DIR)
        os.environ[DISCOVERY_DIR] = str(directory)
        return directory

    # End

    async def _stop_in_order(self, services: Services) -> None:
        """Ask programs of the project's own to end; what they need is killed later, with nothing in it to be kept."""
        for endpoint in reversed(self._endpoints.values()):
            if endpoint.kind == "executable" and endpoint.disposable:
                with contextlib.suppress(RealServicesError):  # It has ended, or does not run yet.
                    await in_thread(functools.partial(BlockingServiceControl(services.control).stop, endpoint.name))

    def _forget_files(self) -> None:
        discovery, self._discovery = self._discovery, None
        if discovery is None:
            return
        for name in self._endpoints:
            discovery.remove(name)
        if self.config.test_mode and self.config.discovery_dir is None:
            discard_tree(str(discovery.discovery_dir))
        else:
            with contextlib.suppress(OSError):  # Others use it, too.
                discovery.discovery_dir.rmdir()
        if os.environ.get(DISCOVERY_DIR) == str(discovery.discovery_dir):
            del os.environ[DISCOVERY_DIR]
            if self._named_before is not None:
                os.environ[DISCOVERY_DIR] = self._named_before

    async def _last_words(self, name: str) -> str:
        manager = self._manager
        if not self._endpoints[name].disposable or manager is None:
            return ""
        try:
            ask = BlockingServiceControl(manager.services.control)
            running = manager.services.running_name(self._endpoints[name])
            lines = await in_thread(functools.partial(ask.logs, running, lines=_SHOWN_LINES))
        except RealServicesError as error:
            return f"\n  {error}"
        return "\n  its last log lines:" + ("".join(f"\n    {line}" for line in lines) or "\n    (it wrote nothing)")

    # Signals

    def _install_handlers(self) -> None:
        if self._handlers or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._handlers[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._on_signal, number)

    def _restore_handlers(self) -> None:
        handlers, self._handlers = self._handlers, {}
        for number, handler in handlers.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            # The loop's own way back is to Python's default, not to what was there.
            signal.signal(number, handler)

    def _on_signal(self, number: int) -> None:
        if self._ending is not None:
            # Once more: at once, then. The services' process ends them by itself.
            self._restore_handlers()
            os.kill(os.getpid(), number)
            return
        self._ending = asyncio.get_running_loop().create_task(self._end_by(number))

    async def _end_by(self, number: int) -> None:
        """End everything, then let the signal do what it would have done without us."""
        _log.warning("%s: ending %s", signal.Signals(number).name, ", ".join(self._endpoints) or "the start")
        try:
            await self.shutdown()
        finally:
            self._restore_handlers()
            os.kill(os.getpid(), number)
