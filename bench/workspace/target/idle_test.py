"""A test that touches no service: what remains is the price of having them."""

from __future__ import annotations


def test_nothing() -> None:
    """Pass."""
