"""What code under test catches around each of its statements, and which exceptions are kinds of which."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from collections.abc import Iterable

Caught = tuple[tuple[str, ...], ...]
"""Handlers in the order in which they are tried, each with the full names of what it catches."""
_EVERY = ("Exception", "BaseException")
_DATABASE = ("DatabaseError", "Error")
_SQLALCHEMY = ("DBAPIError", "StatementError", "SQLAlchemyError")
_BASES = {
    "redis.ConnectionError": ("redis.RedisError",),
    "redis.TimeoutError": ("redis.RedisError",),
    "asyncpg.ConnectionDoesNotExistError": ("asyncpg.PostgresConnectionError", "asyncpg.PostgresError"),
    "asyncpg.PostgresConnectionError": ("asyncpg.PostgresError",),
    "sqlalchemy.OperationalError": tuple(f"sqlalchemy.{each}" for each in ("DatabaseError", *_SQLALCHEMY)),
    "sqlalchemy.InterfaceError": tuple(f"sqlalchemy.{each}" for each in _SQLALCHEMY),
    "sqlalchemy.DBAPIError": ("sqlalchemy.StatementError", "sqlalchemy.SQLAlchemyError"),
    **{f"{each}.OperationalError": tuple(f"{each}.{base}" for base in _DATABASE) for each in ("psycopg", "psycopg2")},
}


def caught_around(body: Iterable[ast.stmt], imports: dict[str, str], outer: Caught = ()) -> dict[ast.stmt, Caught]:
    """Return the handlers around each statement of a function.

    Args:
        body: The function's statements.
        imports: Full name by name, of the module.
        outer: Handlers around the body.
    """
    found: dict[ast.stmt, Caught] = {}
    for statement in body:
        found[statement] = outer
        handlers = getattr(statement, "handlers", ())
        own = tuple(_names(each, imports) for each in handlers if not _raises_again(each))
        found |= caught_around(getattr(statement, "body", ()), imports, (*own, *outer))
        for name in ("orelse", "finalbody"):
            found |= caught_around(getattr(statement, name, ()), imports, outer)
        for handler in handlers:
            found |= caught_around(handler.body, imports, outer)
    return found


def first_catching(exception: str, handlers: Caught) -> int | None:
    """Return the place of the handler that an exception comes to, None where it is caught by none."""
    kinds = kinds_of(exception)
    return next((place for place, names in enumerate(handlers) if not kinds.isdisjoint(names)), None)


def kinds_of(exception: str) -> set[str]:
    """Return the short full names of an exception's class and its bases, as far as they are known."""
    known = getattr(builtins, exception, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return {each.__name__ for each in known.__mro__[:-1]}
    return {exception, *_BASES.get(exception, ()), *_EVERY}


def short_name(name: str) -> str:
    """Return a name's package and last part: "redis.ConnectionError" for "redis.exceptions.ConnectionError"."""
    root, last = name.partition(".")[0], name.rpartition(".")[2]
    return last if root in ("builtins", "asyncio") or "." not in name else f"{root}.{last}"


def _names(handler: ast.ExceptHandler, imports: dict[str, str]) -> tuple[str, ...]:
    if handler.type is None:
        return ("BaseException",)
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return tuple(short_name(full_name(each, imports)) for each in nodes)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
