"""A test's database, made as it was before: several times faster than making another one, where a test only wrote rows.

What a test may have done is looked up, not assumed: a database whose tables are other ones, that has tables of an
engine whose content cannot be seen from outside, a dictionary that was loaded, a query or a mutation that still
runs, or detached parts, is not used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.clickhouse.isolation.connection import flush_inserts
from realservices.kinds.clickhouse.isolation.state import WITHOUT_ROWS, read_state
from realservices.kinds.clickhouse.sql import quote_name

if TYPE_CHECKING:
    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
    from realservices.kinds.clickhouse.isolation.plan import ClickHousePlan
    from realservices.kinds.clickhouse.isolation.state import DatabaseState

_SEEN = {"Memory", "Log", "TinyLog", "StripeLog", "Join", "Set", *WITHOUT_ROWS}


def recycle(
    connection: ClickHouseConnection, plan: ClickHousePlan, name: str, before: DatabaseState
) -> DatabaseState | None:
    """Bring a database back to what it was.

    Args:
        connection: To the server.
        plan: How such a database is made.
        name: The database.
        before: Its state before the test.

    Returns:
        Its state now, or None: it is not to be used again.

    Raises:
        IsolationError: The server does not answer, or refuses.
    """
    if not all(table.has_parts or table.engine in _SEEN for table in before.tables.values()):
        return None
    flush_inserts(connection)
    uses = _uses(before)
    now = read_state(connection, name, uses)
    if now.is_in_use or now.definitions != before.definitions:
        return None
    views = {
        f".inner_id.{table.uuid}": view for view, table in now.tables.items() if table.engine == "MaterializedView"
    }
    with_rows = [table for table in before.tables.values() if table.engine not in WITHOUT_ROWS]
    touched = [table.name for table in with_rows if not table.has_rows_of(now.tables[table.name])]
    if any(table not in touched for table, _ in now.mutations - before.mutations):
        return None  # It has been done just now, after the parts were looked at.
    copies = [copy for table in touched for copy in plan.copies.get(views.get(table, table), ())]
    for table in touched:
        connection.run(f"TRUNCATE TABLE {quote_name(name)}.{quote_name(table)} SYNC")
        if before.tables[table].has_parts:  # The server does not tell whether the test has stopped them.
            connection.run(f"SYSTEM START MERGES {quote_name(name)}.{quote_name(table)}")
    for copy in copies:
        connection.run(copy, database=name)
    # Attached parts get numbers of their own, and a mutation that is done stays in the list.
    return read_state(connection, name, uses) if copies or now.mutations != before.mutations else before


def _uses(before: DatabaseState) -> list[str]:
    """Return what is to be looked for. What the test itself has made is another definition, whatever it is."""
    tables = before.tables.values()
    with_parts = ["mutation", "detached"] if any(table.has_parts for table in tables) else []
    return ["query", *with_parts, *(["dictionary"] if any(table.engine == "Dictionary" for table in tables) else [])]
