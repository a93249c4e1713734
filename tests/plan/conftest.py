"""The implementation plan's fixtures (1.1 and 2.2), word for word but for the imports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from realservices.dev_launcher import DevLauncher, LauncherConfig
from realservices.real_services_manager import RealServiceContext, RealServicesManager


@pytest.fixture(scope="session")
async def dev_launcher() -> AsyncIterator[DevLauncher]:
    """Provides dev_launcher instance for real service testing."""
    launcher = DevLauncher(LauncherConfig(
        dynamic_ports=True,
        test_mode=True,
        startup_timeout=30
    ))  # fmt: skip
    yield launcher
    await launcher.shutdown()


@pytest.fixture(scope="session")
async def real_services(dev_launcher: DevLauncher) -> RealServiceContext:
    """Provides real services with typed clients."""
    manager = RealServicesManager(dev_launcher)
    await manager.start_all_services()

    return RealServiceContext(
        auth_client=await manager.client_factory.create_auth_client(),
        backend_client=await manager.client_factory.create_backend_client(),
        websocket_factory=manager.client_factory.create_websocket_client
    )  # fmt: skip
