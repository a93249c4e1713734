"""What analytics refuses."""

from __future__ import annotations


class AnalyticsError(Exception):
    """Something that was understood and refused."""


class MalformedEventError(AnalyticsError):
    """What should be an event is none; nothing of what came with it was stored."""
