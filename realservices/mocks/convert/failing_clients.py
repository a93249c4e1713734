"""Real clients, and how each finds that its server is gone: what it raises, and at which methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.convert.handles import ASYNCPG, ASYNCPG_SYNC, PSYCOPG, PSYCOPG2, PSYCOPG_ASYNC, SESSION

if TYPE_CHECKING:
    from collections.abc import Set


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A real client, and how it finds that its server is gone.

    Attributes:
        kind: The kind of service.
        raises: The exception that it raises, "" where that differs.
        expression: That in the test's words.
        line: The import that these need.
        speaks: Methods by which it asks the server.
        ends: Methods that fail as well once the server is gone.
    """

    kind: str
    raises: str
    expression: str
    line: str
    speaks: Set[str]
    ends: Set[str] = frozenset()


_QUERIES = frozenset({
    "execute", "executemany", "fetch", "fetchrow", "fetchval", "transaction", "scalar", "scalars", "commit", "flush",
    "refresh", "first", "one", "one_or_none", "all", "get", "count", "connect", "begin", "scalar_one_or_none",
})  # fmt: skip
_OF_PSYCOPG = frozenset({"execute", "executemany", "commit", "transaction", "connect"})
_ROLLBACK = frozenset({"rollback"})
POOL = "pool"
_CLIENTS = {
    ASYNCPG: Client(
        kind="postgres", raises="asyncpg.InterfaceError", expression="asyncpg.InterfaceError", line="import asyncpg",
        speaks=_QUERIES,
    ),
    POOL: Client(
        kind="postgres", raises="ConnectionRefusedError", expression="ConnectionRefusedError", line="",
        speaks=_QUERIES | {"acquire"},
    ),
    PSYCOPG: Client(
        kind="postgres", raises="psycopg.OperationalError", expression="psycopg.OperationalError",
        line="import psycopg", speaks=_OF_PSYCOPG, ends=_ROLLBACK,
    ),
    PSYCOPG2: Client(
        kind="postgres", raises="psycopg2.OperationalError", expression="psycopg2.OperationalError",
        line="import psycopg2", speaks=_OF_PSYCOPG, ends=_ROLLBACK,
    ),
    SESSION: Client(
        kind="postgres", raises="sqlalchemy.OperationalError", expression="sqlalchemy.exc.OperationalError",
        line="import sqlalchemy.exc", speaks=_QUERIES,
    ),
}  # fmt: skip
_CLIENTS[PSYCOPG_ASYNC] = _CLIENTS[PSYCOPG]
_CLIENTS[ASYNCPG_SYNC] = _CLIENTS[ASYNCPG]
# An asynchronous session passes on what its driver raises, and that depends on whether it was connected.
_ANY = Client(kind="postgres", raises="", expression="", line="", speaks=_QUERIES)


def client_of_redis(commands: Set[str]) -> Client:
    """Return the client of Redis: what it sends are these commands."""
    return Client(
        kind="redis", raises="redis.ConnectionError", expression="RedisConnectionError",
        line="from redis.exceptions import ConnectionError as RedisConnectionError", speaks=commands,
    )  # fmt: skip


def client_of(style: str) -> Client:
    """Return the client of PostgreSQL that has an API."""
    return _CLIENTS.get(style, _ANY)


def connecting_client(target: str) -> Client | None:
    """Return the client whose `connect`, or pool, is put in place of a patched name; None where it is none."""
    package, _, last = target.rpartition(".")
    if last not in ("connect", "create_pool"):
        return None
    owner = package.rpartition(".")[2]
    style = {"asyncpg": POOL, "psycopg2": PSYCOPG2, "psycopg": PSYCOPG, "AsyncConnection": PSYCOPG}.get(owner, "")
    return _CLIENTS.get(style)
