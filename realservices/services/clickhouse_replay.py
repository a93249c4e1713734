"""How a service's database is made once more under another name: tried while the template is built, done for each test.

The statements of the schema are run again, with another database as the current one; then the rows that are in the
first one are copied. A trial shows whether that leads to the same tables: a schema that names its database does not.
"""

from __future__ import annotations

import json

from realservices.contract.clickhouse_sql import quote_name, quote_text, without_database
from realservices.services.clickhouse_http import ClickHouseRefusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.clickhouse_sql import Statement

    Run = Callable[[str, dict[str, str]], str]

TRIAL_DATABASE = "realservices_trial"
# What does not make a table. Rows are copied, so that nothing is computed twice.
_NO_SCHEMA = {"INSERT", "SELECT", "WITH", "OPTIMIZE", "SYSTEM", "SHOW", "EXPLAIN", "CHECK", "DESCRIBE", "DESC", "KILL"}
# What belongs to the whole server, and is there already.
_OF_THE_SERVER = {"DATABASE", "FUNCTION", "NAMED", "USER", "ROLE", "QUOTA", "WORKLOAD", "RESOURCE"}
_MODIFIERS = {"OR", "REPLACE", "IF", "NOT", "EXISTS"}


def plan_replay(run: Run, database: str, statements: list[Statement]) -> dict[str, Any]:
    """Try to make a second database like ``database``; return how it is done.

    Args:
        run: Runs a query with parameters of the URL, see clickhouse_http.query.
        database: The first one.
        statements: All that were run in it, in order.

    Returns:
        ``statements`` and ``copies``: lists of SQL, to be run in the new database; ``session``: whether they are to be
        run in one session, after ``USE``; ``refusal``: why there is no way, or "".
    """
    replayed = [statement for statement in statements if _makes_schema(statement)]
    plan: dict[str, Any] = {
        "statements": [statement.text for statement in replayed],
        "session": any(statement.words[:1] in (["SET"], ["USE"]) for statement in replayed),
        "copies": [],
        "refusal": "",
    }
    parameters = {"session_id": TRIAL_DATABASE} if plan["session"] else {"database": TRIAL_DATABASE}
    run(f"CREATE DATABASE {TRIAL_DATABASE}", {})
    try:
        if plan["session"]:
            run(f"USE {TRIAL_DATABASE}", parameters)
        for statement in replayed:
            _try(run, statement.text, parameters, f"the statement in line {statement.line}")
        _compare(run, database)
        plan["copies"] = _copies(run, database)
        for copy in plan["copies"]:
            _try(run, copy, {"database": TRIAL_DATABASE}, f"copying rows: {copy}")
    except _NoWayError as error:
        plan["refusal"] = str(error)
    finally:
        run(f"DROP DATABASE {TRIAL_DATABASE} SYNC", {})
    return plan


class _NoWayError(Exception):
    pass


def _makes_schema(statement: Statement) -> bool:
    if not statement.words or statement.words[0] in _NO_SCHEMA:
        return False
    nouns = [word for word in statement.words[1:] if word not in _MODIFIERS]
    return not (statement.words[0] in {"CREATE", "DROP", "ALTER"} and nouns and nouns[0] in _OF_THE_SERVER)


def _try(run: Run, sql: str, parameters: dict[str, str], what: str) -> None:
    try:
        run(sql, parameters)
    except ClickHouseRefusal as error:
        raise _NoWayError(f"{what} cannot be run in another database: {error}") from None


def _tables(run: Run, database: str) -> dict[str, dict[str, Any]]:
    columns = (
        # Some engines know their size only; Buffer, Merge and their like count rows of others.
        "name, engine, if(has_own_data OR engine = 'Memory', coalesce(total_rows, total_bytes), 0) AS rows, "
        "create_table_query, dependencies_table, dependencies_database, loading_dependencies_database"
    )
    # Tables within materialized views have their identifiers for names.
    mine = f"database = {quote_text(database)} AND NOT startsWith(name, '.inner')"
    settings = {"output_format_json_quote_64bit_integers": "0"}
    text = run(f"SELECT {columns} FROM system.tables WHERE {mine} ORDER BY name FORMAT JSON", settings)
    return {row["name"]: row for row in json.loads(text)["data"]}


def _compare(run: Run, database: str) -> None:
    first, second = _tables(run, database), _tables(run, TRIAL_DATABASE)
    if first.keys() != second.keys():
        difference = sorted(first.keys() ^ second.keys())
        raise _NoWayError(f"run again in another database it leads to other tables: {', '.join(difference)}")
    for tables, other in ((first, TRIAL_DATABASE), (second, database)):
        for name, table in tables.items():
            if other in table["dependencies_database"] or other in table["loading_dependencies_database"]:
                raise _NoWayError(f"{name} or what reads from it names its database {database!r}")
    for name, table in second.items():
        # Of what a plain view reads the server keeps no list.
        if (
            table["engine"] == "View"
            and without_database(table["create_table_query"], database) != table["create_table_query"]
        ):
            raise _NoWayError(f"the view {name} names its database {database!r}")


def _copies(run: Run, database: str) -> list[str]:
    first, second = _tables(run, database), _tables(run, TRIAL_DATABASE)
    copies = []
    for name, table in first.items():
        source, target = f"{quote_name(database)}.{quote_name(name)}", quote_name(name)
        if table["engine"] == "MaterializedView":
            # One with a table of its own; those with TO have none.
            rows = _has_inner_table(run, database, name) and int(run(f"SELECT count() FROM {source}", {}))
        else:
            rows = table["rows"]
        if not rows:
            continue
        if second[name]["rows"]:
            copies.append(f"TRUNCATE TABLE {target}")
        if table["engine"].endswith("MergeTree"):
            copies.append(f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {source}")
        elif table["dependencies_table"] and table["engine"] != "MaterializedView":
            raise _NoWayError(
                f"{name} has rows and a materialized view reads from it, but its engine {table['engine']} cannot share "
                "parts: make it a MergeTree"
            )
        else:
            copies.append(f"INSERT INTO {target} SELECT * FROM {source}")
    return copies


def _has_inner_table(run: Run, database: str, view: str) -> bool:
    mine = f"database = {quote_text(database)}"
    inner = (
        f"concat('.inner_id.', (SELECT toString(uuid) FROM system.tables WHERE {mine} AND name = {quote_text(view)}))"
    )
    return run(f"SELECT count() FROM system.tables WHERE {mine} AND name = {inner}", {}).strip() != "0"
