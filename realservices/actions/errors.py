"""What this tool cannot do."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class LogError(RealServicesError):
    """An execution log cannot be read."""
