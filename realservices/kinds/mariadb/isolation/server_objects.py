"""What a MariaDB server has once: databases, accounts and privileges, global variables, plug-ins.

All of it is read in 2 ms: which global variables differ from the server's command line the server knows by itself
(https://mariadb.com/kb/en/information-schema-system_variables-table/), and the rest is a few rows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.server_leftovers import State
from realservices.kinds.mariadb.isolation.prepared_transactions import prepared_transactions, roll_back
from realservices.kinds.mariadb.names import OWN_PREFIX, SYSTEM_DATABASES, quote_name, quote_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from realservices.kinds.mariadb.wire import Connection, Row

# In a `State`: ``database shop``, ``variable MAX_CONNECTIONS``, ``accounts global_priv``, ….
_DATABASE, _VARIABLE, _ACCOUNTS, _PLUGIN, _FUNCTION, _SERVER, _PREPARED = (
    "database", "variable", "accounts", "plugin", "function", "server", "transaction",
)  # fmt: skip
_NAMES = {
    _DATABASE: (
        f"SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE '{OWN_PREFIX}%' "
        f"AND schema_name NOT IN {SYSTEM_DATABASES}"
    ),
    _PLUGIN: "SELECT name FROM mysql.plugin",
    _FUNCTION: "SELECT name FROM mysql.func",
    _SERVER: "SELECT Server_name FROM mysql.servers",
}
_DROPS = {
    _DATABASE: "DROP DATABASE {}",
    _PLUGIN: "UNINSTALL PLUGIN {}",
    _FUNCTION: "DROP FUNCTION {}",
    _SERVER: "DROP SERVER {}",
}
# Privileges on tests' databases come and go with these.
_OF_DATABASES = ("db", "tables_priv", "columns_priv", "procs_priv")
_ACCOUNT_TABLES = ("global_priv", *_OF_DATABASES, "proxies_priv", "roles_mapping")
# Those on the template are not: it stays.
_OTHERS_ROWS = f" WHERE Db NOT LIKE '{OWN_PREFIX}%' OR Db LIKE 'realservices%template'"
_SET = "SELECT variable_name, global_value FROM information_schema.system_variables WHERE global_value_origin = 'SQL'"
_ALL = "SELECT variable_name, variable_value FROM information_schema.global_variables"


def variables(connection: Connection) -> State:
    """Return the value of each global variable."""
    return {f"{_VARIABLE} {name}": str(value) for name, value in connection.run(_ALL)}


def server_objects(connection: Connection, original: Mapping[str, str]) -> State:
    """Return what there is.

    Args:
        connection: To the server.
        original: The global variables at first; those that have another value now are in what is returned.
    """
    found: State = {}
    for kind, asked in _NAMES.items():
        found |= {f"{kind} {name}": "" for (name,) in connection.run(asked)}
    found |= {f"{_PREPARED} {transaction}": "" for transaction in prepared_transactions(connection)}
    for table in _ACCOUNT_TABLES:
        rows = connection.run(f"SELECT * FROM mysql.{table}{_OTHERS_ROWS if table in _OF_DATABASES else ''}")
        found[f"{_ACCOUNTS} {table}"] = json.dumps(sorted(rows, key=repr))
    for name, value in connection.run(_SET):
        if original.get(f"{_VARIABLE} {name}") != str(value):
            found[f"{_VARIABLE} {name}"] = str(value)
    return found


def undo(
    connection: Connection,
    *,
    before: Mapping[str, str],
    now: Mapping[str, str],
    original: Mapping[str, str],
    make_database: Callable[[str], None],
) -> None:
    """Bring a server back to what it was.

    Args:
        connection: To it.
        before: What there was.
        now: What there is.
        original: The global variables at first.
        make_database: Makes a database like the service's own.

    Raises:
        IsolationBrokenError: Something is gone that cannot be made anew.
        MariaDBRefusal: The server refuses.
    """
    changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    changed.sort(key=lambda key: not key.startswith(_PREPARED))  # They lock what is to be dropped.
    lost = []
    for key in changed:
        kind, _, name = key.partition(" ")
        if kind == _ACCOUNTS:
            _restore_rows(connection, name, json.loads(before[key]))
        elif kind == _VARIABLE:
            value = before.get(key, original.get(key, ""))
            shown = value if value.lstrip("-").replace(".", "", 1).isdigit() else quote_text(value)
            connection.run(f"SET GLOBAL {name} = {shown}")
        elif kind == _PREPARED:
            if key in now:
                roll_back(connection, name)
        elif key in now:
            connection.run(_DROPS[kind].format(quote_name(name)))
        elif kind == _DATABASE:
            make_database(name)
        else:
            lost.append(key)
    if any(key.startswith(_ACCOUNTS) for key in changed):
        connection.run("FLUSH PRIVILEGES")
    if lost:
        raise IsolationBrokenError(
            f"a test has removed {', '.join(lost)} from the server, which cannot be made anew; later tests do without. "
            "A test may remove what it has made"
        )


def _restore_rows(connection: Connection, table: str, rows: list[Row]) -> None:
    where = _OTHERS_ROWS if table in _OF_DATABASES else ""
    inserted = [f"INSERT INTO mysql.{table} VALUES ({', '.join(map(_literal, row))})" for row in rows]
    connection.run(";".join([f"DELETE FROM mysql.{table}{where}", *inserted]))


def _literal(value: str | None) -> str:
    return "NULL" if value is None else quote_text(value)
