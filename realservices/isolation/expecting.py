"""What tests are going to use is prepared ahead of them, in the background."""

from __future__ import annotations

import contextlib
import os
import threading
from functools import partial
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from collections.abc import Callable

_IMPORT_TIMEOUT_S = 1.0


def soon(work: Callable[[], object], *, at_once: bool) -> None:
    """Do it now where it takes no time, else in a thread. What goes wrong is told to the test that needs it."""
    if at_once:
        work()
        return

    def attempt() -> None:
        with contextlib.suppress(RealServicesError):
            work()

    thread = threading.Thread(target=attempt, name="realservices-prefetch", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return  # No thread is left. The test that needs it will do this itself, or say why it cannot.
    # A child that is forked while a module is imported would wait for the module for ever.
    os.register_at_fork(before=partial(thread.join, _IMPORT_TIMEOUT_S))
