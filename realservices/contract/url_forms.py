"""The forms in which libraries of several languages want the address of a database: ``$(url :db jdbc)``.

What each library reads is in its own manual: SQLAlchemy, "Database URLs"; the JDBC drivers of PostgreSQL, "Connecting
to the Database", and of ClickHouse, "Configuration"; R2DBC, "URL"; libpq, "Connection Strings"; Npgsql, "Connection
String Parameters". Servers of ours speak no TLS, and Go's lib/pq, which asks for it by default, is told so.
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SQLALCHEMY_DRIVERS = ("asyncpg", "psycopg", "psycopg_async", "psycopg2")
"""What a URL of PostgreSQL may name as SQLAlchemy's driver."""
POSTGRES_FORMS = (*SQLALCHEMY_DRIVERS, "jdbc", "r2dbc", "dsn", "npgsql")
"""What may follow the label of a PostgreSQL in ``$(url …)``."""
FORMS = {"postgres": POSTGRES_FORMS, "clickhouse": ("jdbc",)}
"""By kind, what may follow the label."""


def written_as(where: str, form: str, endpoint: dict[str, Any]) -> str:
    """Return the address of a database in the form that a library wants.

    Args:
        where: What holds the value, for messages.
        form: One of `FORMS`.
        endpoint: The service's.

    Raises:
        ManifestError: The kind of service has no such form.
    """
    scheme, _, rest = str(endpoint["url"]).partition("://")
    forms = FORMS.get(endpoint["kind"], ())
    if form not in forms:
        known = f"its forms are {', '.join(forms)}" if forms else "it has the plain URL only"
        raise ManifestError(f"{where}: there is no form {form!r} of the URL {scheme}://… of this service; {known}")
    if form in SQLALCHEMY_DRIVERS:
        return f"{scheme}+{form}://{rest}"
    if form == "r2dbc":
        return f"r2dbc:{scheme}://{rest}"
    return {"jdbc": _jdbc, "dsn": _dsn, "npgsql": _npgsql}[form](endpoint)


def _jdbc(endpoint: dict[str, Any]) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - it takes 5 ms, for its users only

    product = {"postgres": "postgresql", "clickhouse": "clickhouse"}[endpoint["kind"]]
    address = f"{endpoint['host']}:{endpoint['port']}/{quote(str(endpoint['database']), safe='')}"
    user, password = (quote(str(endpoint[field]), safe="") for field in ("user", "password"))
    return f"jdbc:{product}://{address}?user={user}&password={password}"


def _dsn(endpoint: dict[str, Any]) -> str:
    fields = {field: endpoint[field] for field in ("host", "port", "user", "password")}
    named = {**fields, "dbname": endpoint["database"], "sslmode": endpoint.get("sslmode", "disable")}
    return " ".join(f"{name}={_libpq_value(str(value))}" for name, value in named.items())


def _libpq_value(value: str) -> str:
    if value and not set(value) & set(" '\\\t\n"):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _npgsql(endpoint: dict[str, Any]) -> str:
    names = {"Host": "host", "Port": "port", "Username": "user", "Password": "password", "Database": "database"}
    return ";".join(f"{name}={_ado_value(str(endpoint[field]))}" for name, field in names.items())


def _ado_value(value: str) -> str:
    # As of DbConnectionStringBuilder: double quotes, doubled within.
    if value and not set(value) & set(" ;'\"="):
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'
