"""What goes wrong here."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class ShardError(RealServicesError):
    """A plan cannot be made: bad input, or Bazel says no."""
