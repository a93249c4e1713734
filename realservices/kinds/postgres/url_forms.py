"""The forms in which libraries want the address of a PostgreSQL.

What each library reads is in its own manual: R2DBC, "URL"; libpq, "Connection Strings"; Npgsql, "Connection String
Parameters". Servers of ours speak no TLS, and Go's lib/pq, which asks for it by default, is told so.
"""

from __future__ import annotations

from realservices.contract.url_forms import jdbc, with_driver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

SQLALCHEMY_DRIVERS = ("asyncpg", "psycopg", "psycopg_async", "psycopg2")
"""What a URL may name as SQLAlchemy's driver."""


def _postgres(endpoint: Mapping[str, Any]) -> str:
    return f"postgres://{str(endpoint['url']).partition('://')[2]}"


def _r2dbc(endpoint: Mapping[str, Any]) -> str:
    return f"r2dbc:{endpoint['url']}"


def _dsn(endpoint: Mapping[str, Any]) -> str:
    fields = {field: endpoint[field] for field in ("host", "port", "user", "password")}
    named = {**fields, "dbname": endpoint["database"], "sslmode": endpoint.get("sslmode", "disable")}
    return " ".join(f"{name}={_libpq_value(str(value))}" for name, value in named.items())


def _libpq_value(value: str) -> str:
    if value and not set(value) & set(" '\\\t\n"):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _npgsql(endpoint: Mapping[str, Any]) -> str:
    names = {"Host": "host", "Port": "port", "Username": "user", "Password": "password", "Database": "database"}
    return ";".join(f"{name}={_ado_value(str(endpoint[field]))}" for name, field in names.items())


def _ado_value(value: str) -> str:
    # As of DbConnectionStringBuilder: double quotes, doubled within.
    if value and not set(value) & set(" ;'\"="):
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


FORMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    **{driver: with_driver(driver) for driver in SQLALCHEMY_DRIVERS},
    "postgres": _postgres,
    "jdbc": jdbc("postgresql"),
    "r2dbc": _r2dbc,
    "dsn": _dsn,
    "npgsql": _npgsql,
}
"""What writes each."""
