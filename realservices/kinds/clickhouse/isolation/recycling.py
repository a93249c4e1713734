"""A test's database, made as it was before: several times faster than making another one, where a test only wrote rows.

What a test may have done is looked up, not assumed: a database whose tables are other ones, that has tables of an
engine whose content cannot be seen from outside, a dictionary that was loaded, a query or a mutation that still
runs, or detached parts, is not used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.clickhouse.isolation.changes import find_changes, uses_of
from realservices.kinds.clickhouse.isolation.connection import flush_inserts
from realservices.kinds.clickhouse.isolation.database_files import with_files
from realservices.kinds.clickhouse.isolation.state import WITHOUT_ROWS, read_state
from realservices.kinds.clickhouse.sql import quote_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.kinds.clickhouse.isolation.changes import Rows
    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
    from realservices.kinds.clickhouse.isolation.plan import ClickHousePlan
    from realservices.kinds.clickhouse.isolation.state import DatabaseState

_SEEN = {"Memory", "Log", "TinyLog", "StripeLog", "Join", "Set", *WITHOUT_ROWS}


def recycle(
    connection: ClickHouseConnection,
    plan: ClickHousePlan,
    name: str,
    before: DatabaseState,
    unfiled: Rows | None = None,
) -> DatabaseState | None:
    """Bring a database back to what it was.

    Args:
        connection: To the server.
        plan: How such a database is made.
        name: The database.
        before: Its state before the test.
        unfiled: What `read_unfiled` has told since the test, when the server had written asynchronous inserts.

    Returns:
        Its state now, or None: it is not to be used again.

    Raises:
        IsolationError: The server does not answer, or refuses.
    """
    if not all(table.has_parts or table.engine in _SEEN for table in before.tables.values()):
        return None
    if unfiled is None:
        flush_inserts(connection)
    changes = find_changes(connection, plan.data, name, before, unfiled)
    if changes is None:
        return None
    copies = _restore(connection, plan, name, before, changes.touched)
    # Attached parts get numbers of their own, and a mutation that is done stays in the list.
    is_other = changes.are_mutated or (copies and not changes.by_files)
    now = read_state(connection, name, uses_of(before)) if is_other else before
    return with_files(now, plan.data, name)


def _restore(
    connection: ClickHouseConnection, plan: ClickHousePlan, name: str, before: DatabaseState, touched: Sequence[str]
) -> bool:
    """Empty tables and copy their rows; return whether there were any."""
    views = {
        f".inner_id.{table.uuid}": view for view, table in before.tables.items() if table.engine == "MaterializedView"
    }
    for table in touched:
        connection.run(f"TRUNCATE TABLE {quote_name(name)}.{quote_name(table)} SYNC")
        if before.tables[table].has_parts:  # The server does not tell whether the test has stopped them.
            connection.run(f"SYSTEM START MERGES {quote_name(name)}.{quote_name(table)}")
    copies = [copy for table in touched for copy in plan.copies.get(views.get(table, table), ())]
    for copy in copies:
        connection.run(copy, database=name)
    return bool(copies)
