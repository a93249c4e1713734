"""The end of a template tool with the process that wants the template: a session that ends while it builds a schema.

Bazel ends its build actions itself; a session's process can be killed without a word. So the tool holds one end of a
pipe whose other end only that process has.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from realservices.host.namespaces import detach
from realservices.host.process import kill_descendants
from realservices.system.process_ids import descendants
from realservices.system.removal import remove_tree

_GRACE_S, _PAUSE_S = 5.0, 0.01


def end_with(lifeline: int, work: str, mounted: tuple[str, ...] = ()) -> None:
    """Have this process end, with all that it has started, when nobody has the pipe's other end any more.

    It starts a thread: enter namespaces before.

    Args:
        lifeline: The pipe's read end. -1: nobody waits for the template in this way.
        work: A directory to remove then.
        mounted: Those in it, or itself, that something may be mounted on, the inner one first.
    """
    if lifeline >= 0:
        threading.Thread(target=_watch, args=(lifeline, work, mounted), daemon=True).start()


def _watch(lifeline: int, work: str, mounted: tuple[str, ...]) -> None:
    os.read(lifeline, 1)  # Nobody writes: it returns at the end.
    # Asked first: a PostgreSQL that is killed leaves its shared memory.
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGINT)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + _GRACE_S
    while descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    kill_descendants(set())
    for path in mounted:
        detach(path)
    remove_tree(work)
    os._exit(1)
