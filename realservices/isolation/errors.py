"""What can go wrong between a test and its share of a service."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class IsolationError(RealServicesError):
    """A statement or command that would reach beyond the test that sent it, refused before it did harm."""


class IsolationBrokenError(RealServicesError):
    """Something reached beyond its test. What it touched has been thrown away; later tests start clean."""


class IsolationWarning(UserWarning):
    """Code under test does something that has no effect, or another one, inside an isolated service."""
