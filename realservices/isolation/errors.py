"""What can go wrong between a test and its share of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class IsolationError(RealServicesError):
    """A statement or command that would reach beyond the test that sent it, refused before it did harm."""


class IsolationBrokenError(RealServicesError):
    """Something reached beyond its test. What it touched has been thrown away; later tests start clean."""


def ended(what: str, owner: str = "test") -> IsolationError:
    """Return the error for what code uses beyond the test (or the class, module or session) that it was made for."""
    return IsolationError(
        f"{what} belongs to a {owner} that has ended; code under test must not keep it beyond its {owner} (in a "
        "module's variable, a cache or a thread, for instance)"
    )


def one_at_a_time(what: str, service: Endpoint) -> str:
    """Return what to say where a second test of a process wants its share while the first one has its own."""
    return (
        f"a test of this process has a {what} of service {service.name!r} ({service.label}) open already, and there is "
        "one at a time: end it first (leave the environment, or let the test's fixture be its only share), or take "
        "create_optimized_environment_manager, which has shares for many tests at once"
    )
