"""Launchers that stay: one for each configuration within a process, with services that wait from session to session."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

from realservices.contract.user_variables import WARM
from realservices.dev.config import LauncherConfig
from realservices.dev.errors import StartupError, UnhealthyError
from realservices.dev.launcher import DevLauncher

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_HEALTH_TIMEOUT_S = 2.0


class ServiceCache:
    """Running services, kept between those who ask for them, and between sessions.

    Within a process everybody who asks for the same gets the same launcher. From one process to the next services are
    kept warm: the second one finds fresh ones that run already (docs/development.md).
    """

    _instances: ClassVar[dict[str, DevLauncher]] = {}
    _locks: ClassVar[MutableMapping[asyncio.AbstractEventLoop, defaultdict[str, asyncio.Lock]]] = WeakKeyDictionary()

    @classmethod
    async def get_or_create(cls, config: LauncherConfig | None = None) -> DevLauncher:
        """Return a launcher whose services serve; a new one if there is none, or its services are unhealthy.

        Unless ``REALSERVICES_WARM`` says otherwise, this process keeps its services warm from now on.

        Args:
            config: What is started, and how.

        Raises:
            StartupError: A service does not start.
        """
        os.environ.setdefault(WARM, "1")
        config = config or LauncherConfig()
        key = config.cache_key()
        locks = cls._locks.setdefault(asyncio.get_running_loop(), defaultdict(asyncio.Lock))
        async with locks[key]:
            launcher = cls._instances.get(key)
            if launcher is not None and await _is_healthy(launcher):
                return launcher
            if launcher is not None:
                del cls._instances[key]
                await launcher.shutdown()
            launcher = DevLauncher(config)
            if not await launcher.run():
                raise launcher.failure or StartupError("the services did not start")
            cls._instances[key] = launcher
            return launcher

    @classmethod
    async def close(cls) -> None:
        """End everything that was kept in this process. Without this, it ends with the process."""
        while cls._instances:
            _, launcher = cls._instances.popitem()
            await launcher.shutdown()


async def _is_healthy(launcher: DevLauncher) -> bool:
    try:
        await launcher.wait_for_healthy(_HEALTH_TIMEOUT_S)
    except (StartupError, UnhealthyError):
        return False  # Somebody has shut it down, or a service has died.
    return True
