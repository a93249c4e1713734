"""An asyncpg connection that is made when it is first awaited.

An environment hands out all of its services at once, and a test pays only for those that it uses: a subscript cannot
await, so what it returns connects with the first statement.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator
    from types import TracebackType


class LazyConnection:
    """Has the methods of `asyncpg.Connection`.

    Args:
        connect: Makes the connection, once.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._lock = asyncio.Lock()

    async def connection(self) -> Any:
        """Return the connection itself, for code that asks for its type."""
        async with self._lock:
            if self._connection is None:
                self._connection = await self._connect()
        return self._connection

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._connection is not None:
            return getattr(self._connection, name)
        # A typing mistake must not become a coroutine that nobody awaits.
        import asyncpg  # noqa: PLC0415 - it takes 25 ms, and whoever gets here is about to use it

        attribute = getattr(asyncpg.Connection, name)
        if not inspect.iscoroutinefunction(attribute):
            return lambda *args, **kwargs: _Later(self, name, args, kwargs)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await getattr(await self.connection(), name)(*args, **kwargs)

        return call

    def transaction(self, **options: Any) -> Any:
        """Create a transaction, for ``async with`` or with ``start``, ``commit`` and ``rollback``."""
        if self._connection is not None:
            return self._connection.transaction(**options)
        return _Later(self, "transaction", (), options)

    def cursor(self, query: str, *args: Any, **options: Any) -> Any:
        """Create a cursor, to be awaited or iterated within a transaction."""
        if self._connection is not None:
            return self._connection.cursor(query, *args, **options)
        return _Later(self, "cursor", (query, *args), options)

    def is_closed(self) -> bool:
        """Return whether the connection is closed; one that has not been made yet is not."""
        return self._connection is not None and bool(self._connection.is_closed())

    def is_in_transaction(self) -> bool:
        """Return whether code under test has opened a transaction."""
        return self._connection is not None and bool(self._connection.is_in_transaction())

    def __repr__(self) -> str:
        return f"<lazy {self._connection!r}>" if self._connection is not None else "<connection, not made yet>"


class _Later:
    """What a method of the connection returns that is no coroutine: made when it is first awaited in some way."""

    def __init__(self, lazy: LazyConnection, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._lazy = lazy
        self._method = method
        self._args = args
        self._options = options
        self._made: Any = None

    async def _make(self) -> Any:
        if self._made is None:
            connection = await self._lazy.connection()
            self._made = getattr(connection, self._method)(*self._args, **self._options)
        return self._made

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        return await (await self._make())

    async def __aenter__(self) -> Any:
        return await (await self._make()).__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return await self._made.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for row in await self._make():
            yield row

    async def start(self) -> None:
        """Begin a transaction."""
        await (await self._make()).start()

    async def commit(self) -> None:
        """Commit a transaction."""
        await (await self._make()).commit()

    async def rollback(self) -> None:
        """Roll a transaction back."""
        await (await self._make()).rollback()
