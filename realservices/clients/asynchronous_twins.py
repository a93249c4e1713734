"""Asynchronous methods that are made from those of a blocking object: one text, one signature, one docstring for both.

The class whose methods they are has the blocking object as its attribute ``blocking``.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class _HasBlocking(Protocol):
    @property
    def blocking(self) -> Any: ...


def in_place(
    method: Callable[Concatenate[Any, _Arguments], _Answer],
) -> Callable[Concatenate[_HasBlocking, _Arguments], Coroutine[Any, Any, _Answer]]:
    """Return the asynchronous twin of a method that takes less time than to start a thread."""

    @functools.wraps(method)
    async def twin(self: _HasBlocking, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        answer: _Answer = getattr(self.blocking, method.__name__)(*args, **kwargs)
        return answer

    return twin


def in_thread(
    method: Callable[Concatenate[Any, _Arguments], _Answer],
) -> Callable[Concatenate[_HasBlocking, _Arguments], Coroutine[Any, Any, _Answer]]:
    """Return the asynchronous twin of a method, during which other tasks go on.

    Afterwards the loop has read the ends of connections to a service that has ended: a last message, the end behind it
    and `connection_lost` take an iteration each. Without these, a statement that is sent at once fails in another way
    on a busy machine: asyncpg took the connection for open.
    """

    @functools.wraps(method)
    async def twin(self: _HasBlocking, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        # By its name: the blocking object may be of a subclass.
        answer: _Answer = await asyncio.to_thread(getattr(self.blocking, method.__name__), *args, **kwargs)
        for _ in range(_ITERATIONS):
            await asyncio.sleep(0)
        return answer

    return twin


_ITERATIONS = 10
