"""`DevLauncher`: the services that a project declares, started together, found by name, ended in order.

```python
async with DevLauncher(LauncherConfig(dynamic_ports=True, test_mode=True, startup_timeout=30)) as launcher:
    info = await launcher.discovery.get_service_info("auth")
```

docs/development.md describes it, with what stands on it: service_discovery.py, client_factory.py and
real_services_manager.py.
"""

from __future__ import annotations

from realservices.dev.config import LauncherConfig
from realservices.dev.errors import PortTakenError, StartupError, UnhealthyError
from realservices.dev.launcher import DevLauncher

__all__ = ["DevLauncher", "LauncherConfig", "PortTakenError", "StartupError", "UnhealthyError"]
