"""What the auth service asks of a database connection: the few methods of asyncpg's that it uses.

A protocol, so that a pooled connection, a plain one and a test's own (in a transaction that is rolled back) all fit.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Row(Protocol):
    """A row, its columns by name."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column's value."""


class Connection(Protocol):
    """An asyncpg connection, seen from here. Values and columns are `Any` as they are in asyncpg itself."""

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement and return its command tag."""

    async def fetchrow(self, query: str, *args: Any) -> Row | None:
        """Run a query and return its first row."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a query and return the first column of its first row."""

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Start a transaction, or a savepoint inside one."""
