"""Work in a forked child, with a deadline: a child that waits for what it has not got must not hold the tests up."""

from __future__ import annotations

import multiprocessing.connection
import os
import signal
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DEADLINE_S = 20.0


def in_child(work: Callable[[], object]) -> str:
    """Run ``work`` in a child of os.fork; return what it returned, or the error it raised, as a text."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(write_end, work)
    os.close(write_end)
    with multiprocessing.connection.Connection(read_end, writable=False) as answers:
        try:
            if not answers.poll(_DEADLINE_S):
                os.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"a forked child has not ended within {_DEADLINE_S:.0f} s")
            return str(answers.recv())
        finally:
            os.waitpid(pid, 0)


def _answer(write_end: int, work: Callable[[], object]) -> None:
    try:
        answer = str(work())
    except BaseException as error:  # noqa: BLE001 - the parent is told
        answer = "".join(traceback.format_exception_only(error))
    multiprocessing.connection.Connection(write_end, readable=False).send(answer)
    os._exit(0)


def in_process(work: Callable[[], object]) -> int:
    """Run ``work`` in a process of multiprocessing's start method fork, with its exit handlers; return its exit code."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(_DEADLINE_S)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"a forked process has not ended within {_DEADLINE_S:.0f} s")
    return process.exitcode
