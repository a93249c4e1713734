"""Migrators on the ClickHouse that a template is made with, and the statements that make what they have made."""

from __future__ import annotations

import itertools
import json

from realservices.kinds.clickhouse.server.http import ClickHouseRefusal
from realservices.kinds.clickhouse.sql import quote_name, quote_text, split_statements, without_database
from realservices.services.migrator_runs import run_migrators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.kinds.clickhouse.sql import Statement

    Run = Callable[[str, dict[str, str]], str]

# In which it is found out in what order tables can be made.
_ORDER_DATABASE = "realservices_order"
# Their clients are gone; the server would go on. The library has a query of nobody's, which holds it.
_END_QUERIES = "KILL QUERY WHERE user != '' AND query_id != queryID() SYNC"
_QUERIES = "SELECT value FROM system.events WHERE event = 'Query'"


def migrate_clickhouse(run: Run, spec: dict[str, Any], endpoint: dict[str, Any], directory: str) -> None:
    """Run the migrators that ``--migrate`` describes; see `run_migrators`.

    Args:
        run: Runs a query with parameters of the URL, see `server.http.query`.
        spec: What ``--migrate`` says.
        endpoint: How the server is reached.
        directory: A path for their HOME.
    """
    earlier = _queries(run)
    own = _queries(run) - earlier  # What counting counts.
    counted = itertools.count()
    run_migrators(
        spec,
        "clickhouse",
        endpoint,
        directory,
        traces=lambda: _queries(run) - own * next(counted),
        remedy="CLICKHOUSE_URL, or name what it reads in migrate_env: "
        '{"DATABASE_URL": "clickhouse://$(user):$(password)@$(host):$(port tcp)/$(database)"}',
    )


def _queries(run: Run) -> int:
    run(_END_QUERIES, {})
    return int(run(_QUERIES, {}))


def statements_of(run: Run, database: str) -> list[Statement]:
    """Return what makes the tables, views and dictionaries of a database in another one, in an order that works.

    Nobody has seen the statements of a migrator, so the server is asked for them, and tries them.

    Args:
        run: As above.
        database: The database.
    """
    mine = f"database = {quote_text(database)} AND NOT startsWith(name, '.inner')"
    query = f"SELECT name, create_table_query AS sql FROM system.tables WHERE {mine} ORDER BY name FORMAT JSONEachRow"
    tables = [json.loads(row) for row in run(query, {}).splitlines()]
    names = [table["name"] for table in tables]
    waiting = [_without_database(table["sql"], database, names) for table in tables]
    made: list[str] = []
    run(f"CREATE DATABASE {quote_name(_ORDER_DATABASE)}", {})
    try:
        while waiting:
            refused = [sql for sql in waiting if not _is_made(run, sql)]
            made += [sql for sql in waiting if sql not in refused]
            if len(refused) == len(waiting):
                break
            waiting = refused
    finally:
        run(f"DROP DATABASE {quote_name(_ORDER_DATABASE)} SYNC", {})
    # The ones that cannot be made come last: their replay says why.
    return [statement for sql in (*made, *waiting) for statement in split_statements(sql)]


def _without_database(sql: str, database: str, names: list[str]) -> str:
    """Return a statement without the database in its names, also in those that are texts: dictGet('test.names', …)."""
    for name in names:
        sql = sql.replace(quote_text(f"{database}.{name}"), quote_text(name))
    return without_database(sql, database)


def _is_made(run: Run, sql: str) -> bool:
    try:
        run(sql, {"database": _ORDER_DATABASE})
    except ClickHouseRefusal:
        return False
    return True
