"""Run a program as a user that PostgreSQL accepts: `python unprivileged.py ARCHIVE PROGRAM ARGUMENT…`.

Bazel may run tests as root, which PostgreSQL refuses; the launcher's own way out of that is in its archive.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Become unprivileged if need be, and the program."""
    sys.path.insert(0, sys.argv[1])
    from realservices.host.namespaces import enter_user_namespace  # noqa: PLC0415 - found on the path just set

    if os.geteuid() == 0:
        enter_user_namespace()
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    main()
