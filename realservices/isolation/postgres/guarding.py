"""Put every method of asyncpg that sends statements behind `IsolatedConnection`'s guard.

asyncpg has a dozen of them on connections and half a dozen on prepared statements, with one thing in common: what they
send may fail, and must not take the test's transaction with it.
"""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

C = TypeVar("C", bound=type[asyncpg.Connection])

# The first argument is SQL text, which may control transactions.
_TEXT = ("execute", "executemany", "fetch", "fetchmany", "fetchrow", "fetchval", "prepare")
_OTHER = ("copy_from_query", "copy_from_table", "copy_records_to_table", "copy_to_table")
_CODECS = ("set_type_codec", "set_builtin_type_codec", "reset_type_codec")
_PREPARED = ("executemany", "explain", "fetch", "fetchmany", "fetchrow", "fetchval")


def guarded_methods(connection: C) -> C:
    """Give a class of connections guarded versions of asyncpg's methods. It has `guarded` and `guarded_text`."""
    for name in _TEXT:
        setattr(connection, name, _text_method(name))
    for name in (*_OTHER, *_CODECS):
        setattr(connection, name, _other_method(name))
    return connection


class GuardedPreparedStatement(PreparedStatement):
    """A prepared statement whose failure leaves the test's transaction usable."""

    __slots__ = ()


def _text_method(name: str) -> Any:
    base = getattr(asyncpg.Connection, name)

    @functools.wraps(base)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = await self.guarded_text(name, base, args, kwargs)
        if name == "prepare":
            result.__class__ = GuardedPreparedStatement
        return result

    return method


def _other_method(name: str) -> Any:
    base = getattr(asyncpg.Connection, name)

    @functools.wraps(base)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if name in _CODECS:
            self.has_codecs = True
        return await self.guarded(lambda: base(self, *args, **kwargs))

    return method


def _prepared_method(name: str) -> Any:
    base = getattr(PreparedStatement, name)

    @functools.wraps(base)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await self._connection.guarded(lambda: base(self, *args, **kwargs))

    return method


for _name in _PREPARED:
    setattr(GuardedPreparedStatement, _name, _prepared_method(_name))
