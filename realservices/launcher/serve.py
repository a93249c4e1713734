"""Serve mode: the launcher without a test program, for test sessions outside of Bazel.

`serve DIR [KEY IDLE_S]` runs the services of the session whose directory is DIR, until its end (session_services.py).
It is a daemon: the command returns when the control socket listens. With a key, services are kept warm: after each
session fresh ones are started, just as the last one had them, and wait for the next, for as long as IDLE_S says.
"""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import RealServicesError
from realservices.launcher.session_services import SessionServices

_LOG = "serve.log"
_STARTED = b"started"
_MOST_TOLD = 65536


def main(arguments: list[str]) -> int:
    """Start the daemon for the directory that is named; return an exit code when it has started, or could not."""
    if len(arguments) not in (1, 3):
        print("realservices: serve takes the session's directory, perhaps a key and a number", file=sys.stderr)
        return 64
    directory, key, idle_s = (*arguments, "", "0")[:3]
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        # Not to its end: the guardian has the other end open, too.
        told = os.read(read_end, _MOST_TOLD)
        if told == _STARTED:
            return 0
        print(f"realservices: {told.decode() or 'the service process ended at once'}", file=sys.stderr)
        return 1
    try:
        os.close(read_end)
        _detach(directory)
        services = SessionServices(directory)
        services.run(lambda: _tell(write_end, _STARTED))
        _keep_warm(services, key, float(idle_s))
    except (RealServicesError, OSError) as error:
        _tell(write_end, str(error).encode())
    return 0


def _keep_warm(last: SessionServices, key: str, idle_s: float) -> None:
    """Have services ready for one session after another, until none comes in time."""
    is_wanted = bool(key)
    while is_wanted and last.kept:
        requests = last.kept
        last = SessionServices()
        is_wanted = last.run_spares(key, requests, idle_s)


def _detach(directory: str) -> None:
    """Leave the session's terminal and process group, whose signals are not meant for the services."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.close(null)
    log = os.open(f"{directory}/{_LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)


def _tell(pipe: int, words: bytes) -> None:
    try:
        os.write(pipe, words)
        os.close(pipe)
    except OSError:
        pass  # It has been told already, or whoever asked is gone.
