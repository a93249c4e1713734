"""What can go wrong before a test has its service."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class MissingServiceError(RealServicesError):
    """A test uses a service that is neither declared nor provided.

    Args:
        kind: The kind of service, ``postgres`` for instance.
        message: The whole explanation, with what to add or to install.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SettingError(RealServicesError):
    """A variable or declaration that does not say what it should."""


class UnreachableServiceError(RealServicesError):
    """A service that was promised, and does not serve."""


class DeadServiceError(UnreachableServiceError):
    """A service that served, and has died."""
