"""A blocking face for asynchronous objects: the same methods, run on the background loop.

It wraps by what a call returns, not by a list of names, so the whole of a client's interface is there: coroutines are
awaited, asynchronous context managers and iterators become ordinary ones, and what they yield is wrapped in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import ended
from realservices.isolation.own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from realservices.isolation.background import BackgroundLoop


_IN_CHILD = "In the child make another one: cloned_database.connect_sync(), or by cloned_database.url"


class Blocking:
    """A blocking view of ``target``.

    Args:
        target: Any asynchronous object that lives on ``background``'s loop.
        background: The loop.
    """

    def __init__(self, target: Any, background: BackgroundLoop) -> None:
        self._target = target
        self._background = background
        self._process = OwnProcess()
        self._ended = ""

    def end(self, name: str) -> None:
        """Refuse every further call: the test is over that had this, by the name of a fixture."""
        self._ended = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._check()
            return self._resolved(value(*args, **kwargs))

        return call

    def __enter__(self) -> Any:
        self._check()
        if _ends_by_closing(self._target):
            return self
        return self._resolved(self._target.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._check()
        if _ends_by_closing(self._target):
            self._resolved(self._target.close())
            return None
        suppressed: bool | None = self._resolved(self._target.__aexit__(kind, error, trace))
        return suppressed

    def __iter__(self) -> Iterator[Any]:
        self._check()
        iterator: AsyncIterator[Any] = self._target.__aiter__()
        while True:
            try:
                yield self._resolved(iterator.__anext__())
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return f"<blocking {self._target!r}>"

    def _check(self) -> None:
        if self._ended:
            raise ended(self._ended)
        # Before the target is asked: what it does at once it would do to the parent's socket.
        self._process.require(repr(self), _IN_CHILD)

    def _resolved(self, value: Any) -> Any:
        # A cursor is both awaitable and iterable; unless it is awaited by name it is there to be iterated.
        if inspect.isawaitable(value) and not hasattr(value, "__aiter__"):
            value = self._background.run(_awaited(value))
        if hasattr(value, "__aenter__") or hasattr(value, "__aiter__") or _has_coroutine_methods(value):
            return Blocking(value, self._background)
        return value


def _ends_by_closing(target: object) -> bool:
    """Return whether ``with`` means to close an object in the end, as for connections of blocking drivers."""
    return hasattr(target, "close") and not hasattr(target, "__aenter__")


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _has_coroutine_methods(value: object) -> bool:
    # Data (numbers, texts, rows) has none; prepared statements and cursors do.
    methods = (getattr(type(value), name, None) for name in ("fetch", "fetchrow"))
    return any(inspect.iscoroutinefunction(inspect.unwrap(method)) for method in methods if callable(method))
