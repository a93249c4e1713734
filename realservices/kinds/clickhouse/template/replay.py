"""How a service's database is made once more under another name: here while the template is built, then for tests.

The statements of the schema are run again, with another database as the current one; then the rows are copied, from a
third one that nobody changes. The first time shows whether that leads to the same tables: a schema that names its
database does not. What is made here stays in the template, for the first tests.
"""

from __future__ import annotations

import json

from realservices.kinds.clickhouse.server.http import ClickHouseRefusal
from realservices.kinds.clickhouse.sql import quote_name, quote_text, state_query, without_database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.kinds.clickhouse.sql import Statement

    Run = Callable[[str, dict[str, str]], str]

SEEDS_DATABASE = "realservices_seeds"
# For the first test, while the others are made. Each costs a server's start about 5 ms with a schema of ten tables.
READY_DATABASES = ["realservices_ready_1"]
_TRIAL = READY_DATABASES[0]
_SHOWN = 100
# What does not make a table. Rows are copied, so that nothing is computed twice.
_NO_SCHEMA = {"INSERT", "SELECT", "WITH", "OPTIMIZE", "SYSTEM", "SHOW", "EXPLAIN", "CHECK", "DESCRIBE", "DESC", "KILL"}
# What belongs to the whole server, and is there already.
_OF_THE_SERVER = {"DATABASE", "FUNCTION", "NAMED", "USER", "ROLE", "QUOTA", "WORKLOAD", "RESOURCE"}
_MODIFIERS = {"OR", "REPLACE", "IF", "NOT", "EXISTS"}


def plan_replay(run: Run, database: str, statements: list[Statement]) -> dict[str, Any]:
    """Try to make a second database like ``database``; return how it is done.

    Args:
        run: Runs a query with parameters of the URL, see `server.http.query`.
        database: The first one.
        statements: All that were run in it, in order.

    Returns:
        ``statements``: list of SQL, to be run in the new database; ``copies``: such lists by table; ``session``:
        whether the statements are to be run in one session, after ``USE``; ``ready``: databases that are there, by
        name, with their state; ``refusal``: why there is no way, or "".
    """
    replayed = [statement for statement in statements if _makes_schema(statement)]
    plan: dict[str, Any] = {
        "statements": [statement.text for statement in replayed],
        "session": any(statement.words[:1] in (["SET"], ["USE"]) for statement in replayed),
        "copies": {},
        "ready": {},
        "refusal": "",
    }
    try:
        _replay(run, _TRIAL, replayed, plan)
        _compare(run, database)
        plan["copies"] = _keep_rows(run, database)
        _copy(run, _TRIAL, plan)
        for name in READY_DATABASES[1:]:
            _replay(run, name, replayed, plan)
            _copy(run, name, plan)
        plan["ready"] = {name: json.loads(run(state_query(name), {}))["data"] for name in READY_DATABASES}
    except _NoWayError as error:
        plan["refusal"] = str(error)
        for name in (SEEDS_DATABASE, *READY_DATABASES):
            run(f"DROP DATABASE IF EXISTS {name} SYNC", {})
    return plan


def _replay(run: Run, name: str, statements: list[Statement], plan: dict[str, Any]) -> None:
    run(f"CREATE DATABASE {name}", {})
    parameters = {"session_id": name} if plan["session"] else {"database": name}
    if plan["session"]:
        run(f"USE {name}", parameters)
    for statement in statements:
        where = f"in line {statement.line} of {statement.file}" if statement.file else f"{statement.text[:_SHOWN]!r}"
        _try(run, statement.text, parameters, f"the statement {where}")


def _copy(run: Run, name: str, plan: dict[str, Any]) -> None:
    for table, copies in plan["copies"].items():
        for copy in copies:
            _try(run, copy, {"database": name}, f"the rows of {table}")


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
    first, second = _tables(run, database), _tables(run, _TRIAL)
    if first.keys() != second.keys():
        difference = sorted(first.keys() ^ second.keys())
        raise _NoWayError(f"run again in another database it leads to other tables: {', '.join(difference)}")
    for tables, other in ((first, _TRIAL), (second, database)):
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


def _keep_rows(run: Run, database: str) -> dict[str, list[str]]:
    """Put the rows of a database where nobody changes them; return how they are copied, by table."""
    first, second = _tables(run, database), _tables(run, _TRIAL)
    copies = {}
    run(f"CREATE DATABASE {SEEDS_DATABASE}", {})
    for name, table in first.items():
        original, kept = f"{quote_name(database)}.{quote_name(name)}", f"{SEEDS_DATABASE}.{quote_name(name)}"
        is_view = table["engine"] == "MaterializedView"
        if is_view:
            # One with a table of its own; those with TO have none.
            rows = _has_inner_table(run, database, name) and int(run(f"SELECT count() FROM {original}", {}))
        else:
            rows = table["rows"]
        if not rows:
            continue
        target = quote_name(name)
        copies[name] = [f"TRUNCATE TABLE {target}"] if second[name]["rows"] else []
        if table["engine"].endswith("MergeTree"):
            _try(run, f"CREATE TABLE {kept} AS {original}", {}, f"the definition of {name}")
            _try(run, f"ALTER TABLE {kept} ATTACH PARTITION ALL FROM {original}", {}, f"the rows of {name}")
            copies[name].append(f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {kept}")
        elif table["dependencies_table"]:
            raise _NoWayError(
                f"{name} has rows and a materialized view reads from it, but its engine {table['engine']} cannot share "
                "parts: make it a MergeTree"
            )
        else:
            keep = f"CREATE TABLE {kept} ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM {original}"
            _try(run, keep, {}, f"the rows of {name}")
            copies[name].append(f"INSERT INTO {target} SELECT * FROM {kept}")
    return copies


def _has_inner_table(run: Run, database: str, view: str) -> bool:
    mine = f"database = {quote_text(database)}"
    inner = (
        f"concat('.inner_id.', (SELECT toString(uuid) FROM system.tables WHERE {mine} AND name = {quote_text(view)}))"
    )
    return run(f"SELECT count() FROM system.tables WHERE {mine} AND name = {inner}", {}).strip() != "0"
