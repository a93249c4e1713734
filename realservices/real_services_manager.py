"""`RealServicesManager`: a `DevLauncher` and clients of what it starts; `RealServiceContext`: what tests have of it."""

from __future__ import annotations

from realservices.dev.services_manager import RealServiceContext, RealServicesManager

__all__ = ["RealServiceContext", "RealServicesManager"]
