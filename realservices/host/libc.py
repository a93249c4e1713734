"""The C library, for the system calls that Python has no function for."""

from __future__ import annotations

import ctypes

libc = ctypes.CDLL(None, use_errno=True)
