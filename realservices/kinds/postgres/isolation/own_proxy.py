"""What code under test gets as its connection: a proxy of a pool's, which behaves as a connection of its own.

A pool's proxy knows no connection any more once that is closed. But production's says then that it is closed, whoever
closed it, and SQLAlchemy and code with a `finally` ask it.
"""

from __future__ import annotations

from typing import Any

from asyncpg.pool import PoolConnectionProxy


class OwnProxy(PoolConnectionProxy):
    """Stays with its connection when that is closed. Where only its test is over, it is released."""

    __slots__ = ()
    # asyncpg's own, which its type stubs leave out.
    _con: Any

    def is_closed(self) -> bool:
        """Return whether it leads nowhere any more."""
        return self._con is None or bool(self._con.is_closed())

    async def close(self, *, timeout: float | None = None) -> None:
        """Close the connection; a second time does nothing."""
        if self._con is not None:
            await self._con.close(timeout=timeout)

    def terminate(self) -> None:
        """Close the connection at once; a second time does nothing."""
        if self._con is not None:
            self._con.terminate()

    def _detach(self) -> Any:
        connection = self._con
        if connection is not None:
            connection._set_proxy(None)
            if not connection.is_closed():
                self._con = None
        return connection


def own(proxy: Any) -> None:
    """Have a pool's proxy behave so. The pool makes proxies of its own class only, and takes back no others."""
    proxy.__class__ = OwnProxy


def pools(proxy: Any) -> None:
    """Have it as the pool wants it back."""
    proxy.__class__ = PoolConnectionProxy
