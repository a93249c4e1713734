"""What the server notes in its own tables of times and chance, and how it is told not to.

Its statistics of tables are estimates from random pages, made in the background when rows have changed: here they are
made at the end, from all pages. Its tables of accounts, routines, events and statistics have columns with times: these
become 2000-01-01, and the tables are written anew, so that nothing is left of rows that have been there.

Removed rows of InnoDB are kept as long as a transaction may see them. One that sees all from the beginning keeps the
server from clearing them up here and there, as its time allows; at the end all is cleared up in order.

https://mariadb.com/kb/en/innodb-persistent-statistics/, https://mariadb.com/kb/en/mysqlglobal_priv-table/
"""

from __future__ import annotations

from realservices.kinds.mariadb.names import quote_name, quote_text
from realservices.kinds.mariadb.template.fixed import FIXED_TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.kinds.mariadb.wire import Connection

STEADY_SETTINGS = {
    # Else Aria makes one each 30 s.
    "aria-checkpoint-interval": "0",
    # What was written last, once more.
    "innodb-doublewrite": "0",
    # All that was removed is cleared up, so that nothing depends on how far the server has come with that.
    "innodb-fast-shutdown": "0",
    # Words of full-text indexes are written at the end, not when there are many: up to about 2000 in a table.
    "innodb-ft-cache-size": "80000000",
    "innodb-ft-total-cache-size": "1600000000",
    "innodb-ft-sort-pll-degree": "1",
    # What was in a page that is free again would tell of the way.
    "innodb-immediate-scrub-data-uncompressed": "1",
    "innodb-purge-threads": "1",
    "innodb-stats-auto-recalc": "0",
    "innodb-stats-persistent-sample-pages": "1000000000",
}
"""Of the servers of a build, which win over the user's."""

SEE_ALL = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
"""The statement of the transaction that sees all from the beginning, in a session of its own."""

_TABLES = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ({}) AND engine = 'InnoDB' "
    "AND table_type = 'BASE TABLE' ORDER BY table_schema, table_name"
)
_TIMED = {
    "proc": ("created", "modified"),
    "event": ("created", "modified"),
    "tables_priv": ("Timestamp",),
    "columns_priv": (),
    "procs_priv": ("Timestamp",),
    "proxies_priv": ("Timestamp",),
    "innodb_table_stats": ("last_update",),
    "innodb_index_stats": ("last_update",),
}
"""Tables of the database `mysql`, and their columns with times."""

# 2100-01-01: so a password that expires some days after it was set does not expire with the template.
_LATE_S = 4_102_444_800


def fix_events(connection: Connection) -> None:
    """Fix when events start that start when they were made: the definition says no time then."""
    # The column has UTC, whatever the session's zone is.
    connection.run(
        f"SET time_zone = '+00:00'; UPDATE mysql.event SET created = created, starts = '{FIXED_TEXT}' "
        "WHERE starts = created"
    )


def forget_notes(connection: Connection, user: str, databases: Sequence[str]) -> None:
    """Make statistics, and fix all times.

    Args:
        connection: The administrator's, who may still do everything.
        user: The account of programs, whose password is forgotten.
        databases: Those with the service's tables.
    """
    tables = connection.run(_TABLES.format(", ".join(map(quote_text, databases))))
    if tables:
        names = (f"{quote_name(str(database))}.{quote_name(str(table))}" for database, table in tables)
        connection.run("ANALYZE TABLE " + ", ".join(names))
    connection.run(f"SET time_zone = '+00:00'; {'; '.join(_statements(user))}")


def _statements(user: str) -> list[str]:
    changed = "JSON_VALUE(Priv, '$.password_last_changed')"
    statements = [
        # Zero is that of one that must be changed at once.
        f"UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', {_LATE_S}) WHERE {changed} > 0",
        "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.authentication_string', 'invalid') "
        f"WHERE User = {quote_text(user)} AND Host = '%'",
        "ALTER TABLE mysql.global_priv FORCE",
    ]
    for table, columns in _TIMED.items():
        # Zero is the time of what has none.
        statements += [
            f"UPDATE mysql.{table} SET {', '.join(f'{each} = {_fixed(each)}' for each in columns)}" if columns else "",
            f"ALTER TABLE mysql.{table} FORCE",
        ]
    return [statement for statement in statements if statement]


def _fixed(column: str) -> str:
    return f"IF({column} = 0, {column}, TIMESTAMP'{FIXED_TEXT}')"
