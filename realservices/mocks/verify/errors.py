"""What ends a comparison before it has a result."""

from __future__ import annotations

from realservices.contract.errors import RealServicesError


class VerifyError(RealServicesError):
    """Old and new test cannot be compared; the message says why, and what to do."""
