"""An asyncpg connection that serves one test after the other: what has to be reset between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class ResettableConnection(asyncpg.Connection):
    """Knows what of it outlives a reset of its session.

    Attributes:
        has_codecs: Code of a test has set some. They are the client's, so the connection is not kept.
    """

    # asyncpg's own, which its type stubs leave out.
    _protocol: Any
    _listeners: dict[str, Any]
    _log_listeners: set[Any]
    _query_loggers: set[Any]
    _termination_listeners: set[Any]
    _mark_stmts_as_closed: Callable[[], None]
    _stmt_cache: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_codecs = False

    async def set_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec, see `has_codecs`."""
        self.has_codecs = True
        await super().set_type_codec(*args, **kwargs)

    async def set_builtin_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec, see `has_codecs`."""
        self.has_codecs = True
        await super().set_builtin_type_codec(*args, **kwargs)

    @property
    def raw(self) -> Any:
        """The protocol, as asyncpg has made it."""
        return self._protocol

    def forget_callbacks(self) -> None:
        """Call back nobody any more."""
        for callbacks in (self._listeners, self._log_listeners, self._query_loggers, self._termination_listeners):
            callbacks.clear()

    async def discard_all(self) -> None:
        """Have the session as a new one, but for settings that PostgreSQL does not know."""
        await self.raw.query("DISCARD ALL", None)
        self._mark_stmts_as_closed()  # They are dropped; asyncpg must not use or close them again.

    def forget_statements(self, used: Collection[str]) -> None:
        """Have statements prepared anew that tests before this one have prepared, as in a new session.

        Args:
            used: The names of those that this test has used.
        """
        for statement in self._stmt_cache.iter_statements():
            if statement.name not in used:
                statement.mark_closed()
