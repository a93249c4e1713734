"""Start services ahead for those who may not do so themselves: test actions in Bazel's sandbox.

What a sandbox starts ends with it. So an action that wants warm services, and has found none, says what it would have
liked; this keeper starts that for the next one (launcher/lent.py). Services that wait end by themselves after a while,
and all of them with the keeper.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.cli.console import Console
from realservices.cli.exit_codes import EXIT_OK
from realservices.contract.errors import RealServicesError
from realservices.contract.offers import end_offer, keeper_path, present_offers
from realservices.contract.shapes import NAME, check, load_json
from realservices.contract.terminal_text import as_text
from realservices.contract.warmth import INHERITED, namespace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import FrameType

HELP = "keep services warm for `bazel test --config=warm`, until Ctrl-C"
HAS_JSON = False
_WISH = {"key": NAME, "net": str, "command": [str], "requests": [{"service": {"label": str}, "runfiles": str}]}
_MOST_BYTES = 1 << 20
_TIMEOUT_S, _START_TIMEOUT_S = 1.0, 30.0


class KeeperError(RealServicesError):
    """There is a keeper already."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: there are none."""


def run(options: argparse.Namespace) -> int:
    """Start what is wished for, until a signal ends it, and everything with it."""
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    keys: set[str] = set()
    with _listening() as listener:
        try:
            console.line("keeping services warm for `bazel test --config=warm`; Ctrl-C ends them")
            while True:
                wish = _received(listener)
                if wish and wish["net"] == namespace("net"):
                    keys.add(wish["key"])  # Before: a signal may come while they start.
                    _begin(wish)
                    names = ", ".join(as_text(request["service"]["label"]) for request in wish["requests"])
                    console.line(f"ready for the next test: {names}")
        except KeyboardInterrupt:
            pass
    ended = sum(end_offer(name) for name in present_offers() if name.partition(".")[0] in keys)
    console.line(f"ended {ended} set{'' if ended == 1 else 's'} of services that waited")
    return EXIT_OK


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    path = Path(keeper_path())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 32).decode(errors="replace")
            raise KeeperError(f"process {pid} keeps services warm already; end it, or leave it to that") from None
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        path.unlink(missing_ok=True)  # Of one that was killed.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen(64)
            yield listener
            path.unlink()
    finally:
        os.close(lock)


def _received(listener: socket.socket) -> dict[str, Any]:
    """Return the next wish, nothing if it is none."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(_TIMEOUT_S)
        try:
            with connection.makefile("rb") as file:
                wish: dict[str, Any] = load_json(file.read(_MOST_BYTES))
            # Another release may wish in other words.
            check(wish, _WISH)
        except (OSError, ValueError):
            return {}
    return wish if wish["command"] else {}


def _begin(wish: dict[str, Any]) -> None:
    """Start services that wait."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # Then the next one finds nothing, and wishes again.
        subprocess.run(
            wish["command"],
            input=json.dumps(wish["requests"]).encode(),
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_START_TIMEOUT_S,
            check=False,
        )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
