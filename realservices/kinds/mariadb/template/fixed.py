"""What stands in templates where the server has written down when and where it did something."""

from __future__ import annotations

import hashlib

FIXED_S = 946_684_800
"""2000-01-01 00:00:00 UTC."""

FIXED_TEXT = "2000-01-01 00:00:00"


def fixed_identifier(content: bytes = b"") -> bytes:
    """Return an identifier of 16 bytes, which follows from a content alone."""
    return hashlib.sha256(b"realservices" + content).digest()[:16]
