"""What can go wrong between a project's declarations and a client of its running services."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class StartupError(RealServicesError, RuntimeError):
    """Services that did not start, or were used before they did."""


class PortTakenError(StartupError):
    """A fixed port on which another process listens.

    Args:
        port: The port.
        message: The whole explanation.
    """

    def __init__(self, port: int, message: str) -> None:
        super().__init__(message)
        self.port = port


class UnhealthyError(RealServicesError):
    """Services that run, and do not answer as healthy ones do."""


class DiscoveryError(RealServicesError):
    """Base of what can go wrong when a service is looked up."""


class UnknownServiceError(DiscoveryError):
    """No service of this name was started."""


class StaleServiceError(DiscoveryError):
    """Who started the service has ended, or the service has."""


class DamagedDiscoveryError(DiscoveryError):
    """A discovery file that does not say what it should."""
