"""A copy of this process's environment, for the programs that it starts.

The test side starts them from threads, while pytest's own thread changes the environment (PYTEST_CURRENT_TEST, a
test's `monkeypatch.setenv`). A program that is started with C's own table of variables may then find it moved: the
start fails with "Bad address", or the program has a part of it only.
"""

from __future__ import annotations

import os


def own_environment() -> dict[str, str]:
    """Return a copy of ``os.environ``, also while another thread changes it."""
    # Each step is one under the interpreter's lock: the names, then each name's value if it is still there.
    return {name: value for name in list(os.environ) if (value := os.environ.get(name)) is not None}
