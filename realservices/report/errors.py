"""What a report cannot be made without."""

from __future__ import annotations


class ReportError(Exception):
    """A file that the report is to be made from, or written to, cannot be used."""
