"""What is done in a child that the test forks, before it does anything else: it has its parent's connections.

What a child writes to a socket of its parent's, or says at its end, would come between the parent and its server. So in
the child the descriptors of such sockets are those of another one, whose other end is closed.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_actions: weakref.WeakKeyDictionary[Any, Callable[[Any], object]] = weakref.WeakKeyDictionary()
_is_registered: list[bool] = []


def in_child(thing: Any, action: Callable[[Any], object]) -> None:
    """Call ``action`` with ``thing`` in each child that is forked while ``thing`` is there."""
    if not _is_registered:
        _is_registered.append(True)
        os.register_at_fork(after_in_child=_act)
    _actions[thing] = action


def cut(descriptor: int) -> None:
    """Let a socket of the parent's lead nowhere in this child."""
    nowhere, other = socket.socketpair()
    with nowhere, other:
        os.dup2(nowhere.fileno(), descriptor, inheritable=False)


def _act() -> None:
    for thing, action in list(_actions.items()):
        action(thing)
    _actions.clear()
