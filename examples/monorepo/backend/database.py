"""What the backend asks of a database connection: a method more than the auth service does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from auth.database import Connection as AuthConnection
from auth.database import Row


class Connection(AuthConnection, Protocol):
    """An asyncpg connection, seen from here."""

    async def fetch(self, query: str, *args: Any) -> Sequence[Row]:
        """Run a query and return its rows."""
