"""What kinds have in common of trying a server: a child that is ended, and what a server says until it is ready."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

from realservices.host.process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 20.0
"""How long a trial may take."""


def in_child(work: Callable[[], str]) -> str:
    """Do something in a child with a process group of its own; return its answer.

    Raises:
        OSError: It failed, or took too long.
    """
    read_end, write_end = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        die_with_parent(parent)
        _answer_and_exit(work, write_end)
    os.close(write_end)
    try:
        answer = _read(read_end)
    finally:
        os.close(read_end)
        _kill_group(pid)
    if not answer.startswith("+"):
        raise OSError(answer[1:] or f"no answer within {TIMEOUT_S:.0f} s")
    return answer[1:]


def _answer_and_exit(work: Callable[[], str], write_end: int) -> None:
    try:
        answer = f"+{work()}"
    except BaseException as failed:  # noqa: BLE001 - the child must end here whatever happens
        answer = f"-{getattr(failed, 'strerror', '') or failed or type(failed).__name__}"
    finally:
        os.write(write_end, answer.encode())
        os._exit(0)


def _read(descriptor: int) -> str:
    """Return all that comes until the other side closes, or what has come when the time is over."""
    received, deadline = b"", time.monotonic() + TIMEOUT_S
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(descriptor, 65536)
        if not part:
            break
        received += part
    return received.decode(errors="replace")


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(pid, 0)


def read_until(descriptor: int, mark: bytes) -> str:
    """Return what a server says until it says this.

    Raises:
        OSError: It ended, or did not say it in time.
    """
    received, deadline = b"", time.monotonic() + TIMEOUT_S
    while mark not in received:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise OSError(f"not ready within {TIMEOUT_S:.0f} s: {received.decode(errors='replace')}")
        part = os.read(descriptor, 65536)
        if not part:
            raise OSError(f"it ended: {received.decode(errors='replace')}")
        received += part
    return received.decode(errors="replace")
