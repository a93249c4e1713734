"""What every command ends with. argparse itself ends with 2 when it is used in a wrong way."""

from __future__ import annotations

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_INTERRUPTED = 130
# What a shell says of a program that SIGPIPE has ended.
EXIT_UNREAD = 141
