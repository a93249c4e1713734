"""The service of this project that a second terminal steers: the one that an `up` here runs."""

from __future__ import annotations

from realservices.cli.places import discovery_directory
from realservices.contract.errors import RealServicesError
from realservices.control.client import BlockingServiceControl
from realservices.dev.discovery import ServiceDiscovery
from realservices.sources.project import project_root
from realservices.system.process_ids import is_alive


def control_of(name: str) -> BlockingServiceControl:
    """Return what asks the process that runs a service.

    Raises:
        RealServicesError: Nothing runs under this name, or it was not started here.
    """
    info = ServiceDiscovery(discovery_directory(project_root())).read(name)
    if not info.control:
        raise RealServicesError(
            f"service {name!r} at {info.host}:{info.port} was not started here: stop and restart "
            "it where it was started"
        )
    if info.pid and not is_alive(info.pid, info.started):
        raise RealServicesError(
            f"service {name!r} does not run: process {info.pid}, which started it, has ended. "
            "`python -m realservices up` starts it again"
        )
    return BlockingServiceControl(info.control)
