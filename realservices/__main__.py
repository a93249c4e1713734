"""`python …/realservices serve DIR` and `template …`: the launcher's tools from an installed package.

Started by path and without site-packages (`-I -S`), as the archive is: the package's own directory is the only thing
beyond the standard library that can be imported, and comes after it.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path[:1] = []
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - weighed
    from realservices.zip_main import main

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
