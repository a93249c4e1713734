"""`python -m realservices COMMAND`: the command line (cli/main.py).

By path it is a launcher's tool instead, `python …/realservices serve DIR` and `template …`: started without
site-packages (`-I -S`), as the archive is, so that the package's own directory is the only thing beyond the standard
library that can be imported, and comes after it.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not __package__:
    sys.path[:1] = []
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - weighed
    from realservices.zip_main import main as tool

    code = tool()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
elif __name__ == "__main__":
    from realservices.cli.main import main

    sys.exit(main())
