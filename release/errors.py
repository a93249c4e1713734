"""The one error of a release."""

from __future__ import annotations


class ReleaseError(Exception):
    """Something is not fit to be released; the text says what, where, and what to do."""
