"""One administrative connection to a PostgreSQL service, over which databases are made or dropped one by one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.kinds.postgres.databases import SCHEMAS_SETTINGS

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

_CONNECT_TIMEOUT_S = 10.0
# A server that a test left hanging must not hold up the end of the process.
_CLOSE_TIMEOUT_S = 1.0
# PostgreSQL's own database for such purposes. Where a cluster has none, the programs' database has to serve.
_ADMIN_DATABASE = "postgres"
# On an external server nobody can copy a database while we are connected to it.
_ANOTHER_DATABASE = "template1"
# asyncpg 0.29 reads less of the developer's environment, and has no such arguments.
_GSS = {"krbsrvname": "postgres", "gsslib": "gssapi"} if "gsslib" in (asyncpg.connect.__kwdefaults__ or ()) else {}
_NO_DEVELOPERS = {"direct_tls": False, "target_session_attrs": "any", **_GSS}


class Administration:
    """Connects at the first statement, and again where the server was restarted.

    Args:
        endpoint: The service.
        owner: What the connection calls itself, where others must know whose it is.
    """

    def __init__(self, endpoint: Endpoint, owner: str = "") -> None:
        self._endpoint = endpoint
        self._owner = owner
        self._connection: asyncpg.Connection | None = None
        self._lock: asyncio.Lock | None = None
        self._is_closed = False

    @property
    def is_connected(self) -> bool:
        """Whether it is one of the server's connections now."""
        return self._connection is not None and not self._connection.is_closed()

    async def execute(self, sql: str) -> None:
        """Run one statement after all that were asked for before it.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: Not reachable, or refused.
        """
        await self._run("execute", sql)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Like `execute`; return the rows."""
        rows: list[Any] = await self._run("fetch", sql, *arguments)
        return rows

    async def _run(self, method: str, *arguments: Any) -> Any:
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._is_closed:
                raise asyncpg.InterfaceError("the process ends its use of the service")
            if self._connection is not None and not self._connection.is_closed():
                try:
                    return await getattr(self._connection, method)(*arguments)
                except asyncpg.InternalClientError:
                    # It has read the server's farewell and not yet the end of the connection; nothing was sent.
                    self._connection.terminate()
                except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                    if not self._connection.is_closed():
                        raise
                    # The server was restarted since; once more over a new connection.
            self._connection = await self._connect()
            return await getattr(self._connection, method)(*arguments)

    async def close(self, *, finish: bool) -> None:
        """Disconnect after the statement that runs now, or (``finish``) after all that were asked for."""
        self._is_closed = not finish
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._connection is not None:
                with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await self._connection.close(timeout=_CLOSE_TIMEOUT_S)

    async def _connect(self) -> asyncpg.Connection:
        first, second = _ADMIN_DATABASE, str(self._endpoint.database)
        if not self._endpoint.disposable:
            first, second = (first if second != first else _ANOTHER_DATABASE), _ANOTHER_DATABASE
        settings = {
            "application_name": self._owner or "realservices",
            # Written at once what was committed: restoring looks for it (restore/written.py).
            "synchronous_commit": "on",
            # And asks the same again and again, with other numbers only.
            "plan_cache_mode": "force_generic_plan",
            **SCHEMAS_SETTINGS,
        }
        arguments = connect_kwargs(self._endpoint, first) | {
            "timeout": _CONNECT_TIMEOUT_S,
            "server_settings": settings,
        }
        try:
            return await asyncpg.connect(**arguments)
        except (asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError):
            return await asyncpg.connect(**arguments | {"database": second})


def connect_kwargs(endpoint: Endpoint, database: str) -> dict[str, Any]:
    """Return arguments for `asyncpg.connect` to one database of a service.

    Each one is given that asyncpg would otherwise take from the developer's own PGSSLMODE, PGTARGETSESSIONATTRS and the
    like, or from files in the home directory (asyncpg/connect_utils.py, _parse_connect_dsn_and_args).
    """
    return {
        "host": endpoint.socket or endpoint.host,
        "port": endpoint.port,
        "user": endpoint.user,
        "password": endpoint.password,  # Also an empty one: without any, asyncpg looks into ~/.pgpass.
        "database": database,
        "ssl": _tls(endpoint.sslmode, endpoint.sslrootcert),
        **_NO_DEVELOPERS,
    }


@functools.cache
def _tls(sslmode: str, sslrootcert: str) -> ssl.SSLContext | bool:
    """Return what asyncpg takes for libpq's parameters of these names."""
    if sslmode == "disable":
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = sslmode == "verify-full"
    if sslrootcert == "system":
        context.load_default_certs()
    elif sslrootcert:
        context.load_verify_locations(sslrootcert)
    else:
        context.verify_mode = ssl.CERT_NONE
    return context


def quote_identifier(name: str) -> str:
    """Quote a name for SQL text."""
    return '"' + name.replace('"', '""') + '"'
