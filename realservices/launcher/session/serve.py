"""Serve mode: the launcher without a test program, for test sessions outside of Bazel, and for warm services.

`serve DIR [KEY IDLE_S]` runs the services of the session whose directory is DIR, until its end (session_services.py).
It is a daemon: the command returns when the control socket listens. With a key, services are kept warm: after each
session fresh ones are started, just as the last one had them, and wait for the next, for as long as IDLE_S says.
"""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import RealServicesError
from realservices.launcher.session.session_services import SessionServices
from realservices.system.os_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_EXIT_USAGE = 64  # EX_USAGE of sysexits.h
_LOG = "serve.log"
_STARTED = b"started"
_MOST_TOLD = 65536
_NO_START = "the services' process cannot be started"


def main(arguments: list[str]) -> int:
    """Start the daemon for the directory that is named; return an exit code when it has started, or could not."""
    if len(arguments) not in (1, 3):
        print("realservices: serve takes the session's directory, perhaps a key and a number", file=sys.stderr)
        return _EXIT_USAGE
    directory, key, idle_s = (*arguments, "", "0")[:3]

    def serve(on_started: Callable[[], None]) -> None:
        _open_log(f"{directory}/{_LOG}")
        services = SessionServices(directory)
        services.run(on_started)
        if key:
            _keep_warm(services.kept, key, float(idle_s))

    return _as_daemon(serve)


def _keep_warm(requests: list[dict[str, Any]], key: str, idle_s: float) -> None:
    """Have services ready for one session after another, until none comes in time."""
    is_wanted = True
    while is_wanted and requests:
        services = SessionServices()
        is_wanted = services.run_standby(key, requests, idle_s)
        requests = services.kept


def _as_daemon(serve: Callable[[Callable[[], None]], None]) -> int:
    try:
        read_end, write_end = os.pipe()
        pid = os.fork()
    except OSError as error:
        print(f"realservices: {explain(error, _NO_START)}", file=sys.stderr)
        return 1
    if pid:
        os.close(write_end)
        # Not to its end: the guardian has the other end open, too.
        told = os.read(read_end, _MOST_TOLD)
        if told == _STARTED:
            return 0
        print(f"realservices: {told.decode() or 'the service process ended at once'}", file=sys.stderr)
        return 1
    try:
        os.close(read_end)
        # Leave the terminal and the process group, whose signals are not meant for the services.
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.close(null)

        def on_started() -> None:
            _tell(write_end, _STARTED)

        serve(on_started)
    except RealServicesError as error:
        _tell_or_log(write_end, str(error))
    except OSError as error:
        _tell_or_log(write_end, str(explain(error, _NO_START)))
    return 0


def _open_log(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)


def _tell_or_log(pipe: int, words: str) -> None:
    if not _tell(pipe, words.encode(errors="replace")):
        print(f"realservices: {words}", file=sys.stderr, flush=True)  # The log: the one that asked is gone.


def _tell(pipe: int, words: bytes) -> bool:
    """Return whether it was told: not if it has been told something already, or the one that asked is gone."""
    try:
        os.write(pipe, words)
        os.close(pipe)
    except OSError:
        return False
    return True
