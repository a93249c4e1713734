"""A test that needs nothing: what one run of pytest costs by itself."""

from __future__ import annotations


def test_nothing() -> None:
    """Pass."""
