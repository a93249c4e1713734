"""What can go wrong between a test and its share of a service."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class MissingServiceError(RealServicesError):
    """A test uses a service that its target does not declare.

    Args:
        kind: ``postgres`` or ``redis``.
        message: The whole explanation, with the entry to add.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class IsolationError(RealServicesError):
    """A statement or command that would reach beyond the test that sent it, refused before it did harm."""


class IsolationBrokenError(RealServicesError):
    """Something reached beyond its test. What it touched has been thrown away; later tests start clean."""


class IsolationWarning(UserWarning):
    """Code under test does something that has no effect, or another one, inside an isolated service."""
