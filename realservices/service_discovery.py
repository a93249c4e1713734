"""`ServiceDiscovery`: where running services are, by name, from the files that a `DevLauncher` writes."""

from __future__ import annotations

from realservices.dev.discovery import ServiceDiscovery, ServiceInfo
from realservices.dev.errors import DamagedDiscoveryError, DiscoveryError, StaleServiceError, UnknownServiceError

__all__ = [
    "DamagedDiscoveryError",
    "DiscoveryError",
    "ServiceDiscovery",
    "ServiceInfo",
    "StaleServiceError",
    "UnknownServiceError",
]
