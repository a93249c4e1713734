"""Whole numbers from the environment: read in one way, refused in the same words."""

from __future__ import annotations

import os

from realservices.contract.errors import ManifestError
from realservices.contract.shapes import whole_number


def number_from(variable: str, default: int, lowest: int, highest: int, unit: str = "") -> int:
    """Return the number that a variable says, the default if it is not set or empty.

    Args:
        variable: Its name.
        default: See above.
        lowest: The least that it may be.
        highest: The most.
        unit: What it counts, for the message: ``megabytes``.

    Raises:
        ManifestError: It is something else.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    number = whole_number(text)
    if number is None or not lowest <= number <= highest:
        what = f"whole number of {unit}" if unit else "whole number"
        raise ManifestError(f"{variable}={text!r} is not a {what} from {lowest} to {highest}; correct it, or unset it")
    return number
