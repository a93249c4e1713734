"""All that is in a database, read from the server, without the database's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realservices.kinds.mariadb.wire import Connection

# Whose columns say when or where something was made, or in which database.
_DETAILS = {
    "columns": "table_name, column_name, ordinal_position, column_default, is_nullable, column_type, collation_name, extra, column_comment, is_generated, generation_expression",
    "statistics": "table_name, non_unique, index_name, seq_in_index, column_name, index_type",
    "key_column_usage": "constraint_name, table_name, column_name, referenced_table_name, referenced_column_name",
    "referential_constraints": "constraint_name, table_name, update_rule, delete_rule",
    "check_constraints": "table_name, constraint_name, check_clause",
    "triggers": "trigger_name, event_manipulation, event_object_table, action_order, action_statement, action_timing, sql_mode, definer, character_set_client, collation_connection",
    "routines": "routine_name, routine_type, data_type, routine_definition, is_deterministic, security_type, sql_mode, definer, character_set_client",
    "parameters": "specific_name, ordinal_position, parameter_mode, parameter_name, data_type",
    "events": "event_name, definer, event_definition, event_type, interval_value, interval_field, sql_mode, status",
    "partitions": "table_name, partition_name, partition_method, partition_expression",
}
_SCHEMA_COLUMN = {
    "key_column_usage": "constraint_schema",
    "referential_constraints": "constraint_schema",
    "check_constraints": "constraint_schema",
    "triggers": "trigger_schema",
    "routines": "routine_schema",
    "parameters": "specific_schema",
    "events": "event_schema",
}
_GRANTS = {
    "db": "Host, User, Select_priv, Insert_priv",
    "tables_priv": "Host, User, Table_name, Table_priv, Column_priv",
    "columns_priv": "Host, User, Table_name, Column_name, Column_priv",
    "procs_priv": "Host, User, Routine_name, Routine_type, Proc_priv",
}


def _plain(text: str, database: str) -> str:
    """Take the database out of the names of sequences and functions, as the server writes them."""
    return re.sub(rf"(?<=nextval\()`{database}`\.(?=`numbers`)|`{database}`\.(?=`shout`\()", "", text)


def content(connection: Connection, database: str) -> dict[str, Any]:
    """Return everything by what it is."""
    connection.run(f"USE `{database}`; SET NAMES utf8mb4")
    found: dict[str, Any] = {"options": connection.run("SELECT @@character_set_database, @@collation_database")}
    for name, kind in connection.run("SHOW FULL TABLES"):
        table = "`" + str(name).replace("`", "``") + "`"
        word = {"BASE TABLE": "TABLE", "SEQUENCE": "TABLE", "VIEW": "VIEW"}[str(kind)]
        text = str(connection.run(f"SHOW CREATE {word} {table}")[0][1])
        found[f"{kind if kind == 'SEQUENCE' else word} {name}"] = _plain(text, database)
        if kind == "SEQUENCE":
            found[f"next of {name}"] = connection.run(f"SELECT next_not_cached_value, cycle_count FROM {table}")
        else:
            found[f"rows of {name}"] = sorted(connection.run(f"SELECT * FROM {table}"), key=repr)
    found["hidden"] = connection.run("SELECT id, hidden FROM customers ORDER BY id")
    for kind, name in connection.run(
        f"SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = '{database}'"
    ):
        found[f"{kind} {name}"] = connection.run(f"SHOW CREATE {kind} `{name}`")[0][1:]
    for (name,) in connection.run(
        f"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{database}'"
    ):
        found[f"TRIGGER {name}"] = connection.run(f"SHOW CREATE TRIGGER `{name}`")[0][1:6]
    for view, columns in _DETAILS.items():
        schema = _SCHEMA_COLUMN.get(view, "table_schema")
        rows = connection.run(f"SELECT {columns} FROM information_schema.{view} WHERE {schema} = '{database}'")
        found[view] = sorted((tuple(value and _plain(value, database) for value in row) for row in rows), key=repr)
    escaped = database.replace("_", r"\\_")
    for table, columns in _GRANTS.items():
        found[f"mysql.{table}"] = connection.run(
            f"SELECT {columns} FROM mysql.{table} WHERE Db IN ('{database}', '{escaped}') ORDER BY 1, 2, 3"
        )
    return found
