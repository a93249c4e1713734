"""Ask for services as a test session does, in a process of its own: `python probe.py IMPORTS KIND…`; prints JSON.

What pytest imports is imported before the clock starts. IMPORTS says when that is done with what this package imports
at the first service of a session, warm or not: `before` or `within` the time.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - all that is not used is there already when a test asks for a service
import importlib
import importlib.metadata
import json
import os
import subprocess  # noqa: F401
import sys
import time
import tomllib  # noqa: F401

import pytest  # noqa: F401

import realservices.fixtures.plugin  # noqa: F401
from realservices.sources.services import find_services

_AT_FIRST_SERVICE = (
    "realservices.control.client",
    "realservices.system.warm_pool",
    "realservices.system.session_directory",
    "realservices.sources.embedded",
    "realservices.sources.engine",
    "realservices.sources.entries",
    "realservices.sources.session",
    "realservices.sources.warm",
)


def main(imports: str, *kinds: str) -> None:
    """Ask, tell how long it took, and end the session."""
    if imports == "before":
        for name in _AT_FIRST_SERVICE:
            importlib.import_module(name)
    begin = time.perf_counter()
    services = find_services()
    for kind in kinds:
        services.endpoint(kind)
    given_ms = (time.perf_counter() - begin) * 1000
    print(json.dumps({"given_ms": given_ms, "directory": os.environ["REALSERVICES_SESSION"]}))
    services.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
