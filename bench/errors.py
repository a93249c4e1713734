"""The one error of the benchmark: something broke, so there is no number to judge."""

from __future__ import annotations


class BenchError(Exception):
    """A measurement could not be made; the text says which command failed and how, or what was expected."""
