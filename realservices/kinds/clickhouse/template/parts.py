"""The parts of ClickHouse's tables while a template is made: they depend on the statements, and not on the time.

The server merges parts in the background whenever it has time. Here it does not; what a table would have too many of is
merged at the end. OPTIMIZE merges nothing that the background would not merge, unless it says FINAL, so it does.
"""

from __future__ import annotations

import os
import re
import shutil

from realservices.kinds.clickhouse.sql import quote_name, quote_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Run = Callable[[str, dict[str, str]], str]

STEADY = {
    "alter_sync": "2",
    "database_atomic_wait_for_drop_and_detach_synchronously": "1",
    "max_insert_threads": "1",
    "max_threads": "1",
    "mutations_sync": "2",
}
"""Settings: a statement's work is done when it is answered, and in one order."""
_MANY = "1000000"
WITHOUT_MERGES = {
    "max_bytes_to_merge_at_max_space_in_pool": "1",
    "max_bytes_to_merge_at_min_space_in_pool": "1",
    "max_number_of_merges_with_ttl_in_pool": "0",
    # A file of seeds may have thousands of INSERTs.
    "max_parts_in_total": _MANY,
    "parts_to_delay_insert": _MANY,
    "parts_to_throw_insert": _MANY,
}
"""Settings of MergeTree tables, for those that do not have their own."""

# About as many as the background would leave.
_MOST_PARTS = 16
_FULL_TABLES = f"""SELECT DISTINCT database, table FROM system.parts WHERE active AND database != 'system'
    GROUP BY database, table, partition_id HAVING count() > {_MOST_PARTS} ORDER BY database, table FORMAT TSVRaw"""
_OBSOLETE = "SELECT path FROM system.parts WHERE NOT active FORMAT TSVRaw"
_TABLES = """SELECT name FROM system.tables WHERE database = {database} AND has_own_data
    AND NOT startsWith(name, '.inner') ORDER BY name FORMAT TSVRaw"""
_OPTIMIZE = re.compile(r"\s*OPTIMIZE\s", re.IGNORECASE)
_HAS_FINAL = re.compile(r"\b(?:FINAL|FORCE)\b", re.IGNORECASE)
# What may follow it.
_AFTER_FINAL = re.compile(r"\b(?:DEDUPLICATE|SETTINGS)\b|\Z", re.IGNORECASE)


def merging(sql: str) -> str:
    """Return a statement that merges now, if it asks for a merge."""
    if not _OPTIMIZE.match(sql) or _HAS_FINAL.search(sql):
        return sql
    return _AFTER_FINAL.sub(lambda match: f"\nFINAL {match[0]}", sql, count=1)


def merge_full_tables(run: Run) -> None:
    """Merge the parts of tables that have many.

    Raises:
        ClickHouseRefusal: The server refuses it.
    """
    for row in run(_FULL_TABLES, {}).splitlines():
        database, table = row.split("\t")
        run(f"OPTIMIZE TABLE {quote_name(database)}.{quote_name(table)} FINAL", {})


def obsolete_parts(run: Run) -> list[str]:
    """Return the directories of parts that others have replaced, which a server would remove after some minutes."""
    return run(_OBSOLETE, {}).splitlines()


def remove_parts(directories: Iterable[str]) -> None:
    """Remove the parts in these directories. Their server has ended."""
    for directory in directories:
        if os.path.isdir(directory):
            shutil.rmtree(directory)


def write_contents(run: Run, database: str, path: str) -> None:
    """Write what is in the tables of a database: a line is the table, a tab, and a row.

    Raises:
        ClickHouseRefusal: The server refuses it.
        OSError: The file cannot be written.
    """
    with open(path, "w", encoding="utf-8") as file:
        for table in run(_TABLES.format(database=quote_text(database)), {}).splitlines():
            rows = run(f"SELECT * FROM {quote_name(database)}.{quote_name(table)} FORMAT TSV", {})
            file.writelines(f"{database}.{table}\t{row}\n" for row in rows.splitlines())
