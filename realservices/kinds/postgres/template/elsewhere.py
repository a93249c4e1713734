"""Files of SQL that make their tables in another database than the service's, as those of `pg_dump --create` do."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.databases import TAKEN_DATABASES
from realservices.kinds.postgres.template.copies import COPIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.kinds.postgres.template.cluster import Cluster
    from realservices.schema.script import Script

# Tables and the like, but for those of extensions. What initdb makes has lower numbers.
_TABLES = """SELECT count(*) FROM pg_class
    WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')"""
_ALL = "SELECT datname FROM pg_database WHERE datallowconn"
_OTHERS = """SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database()
    AND datname NOT IN ({own}) AND ({tables}) = 0"""


def count_tables(cluster: Cluster, database: str) -> int:
    """Return how many tables and the like files have made in a database.

    Raises:
        TemplateError: The server does not say it.
    """
    return int(cluster.ask(database, _TABLES)[0])


def refuse_tables_elsewhere(cluster: Cluster, database: str, ended_in: Mapping[str, Script]) -> None:
    """Refuse tables that tests would not find: in a database in which a file has ended, or where there are no others.

    Args:
        cluster: The server, which runs.
        database: The one that programs will be given.
        ended_in: Other databases in which files have ended, and the files.

    Raises:
        TemplateError: There are some.
    """
    own = ", ".join(f"'{name}'" for name in COPIES)
    for other in cluster.ask(database, _OTHERS.format(own=own, tables=_TABLES)):
        if count := count_tables(cluster, other):
            raise TemplateError(
                f"the files have made {count} table(s) in database {other!r} and none in {database!r}, which is the "
                f"one that tests are given. A \\connect does that, and with it pg_dump --create: take it and CREATE "
                f"DATABASE out of the files (pg_dump without --create){_renamed(other)}"
            )
    # A file may have given psql's variable another value.
    there = set(cluster.ask(database, _ALL)) if ended_in else set()
    for other in ended_in.keys() & there:
        script = ended_in[other]
        if count := count_tables(cluster, other):
            raise TemplateError(
                f"{script.kind} {script.shown} ends in database {other!r}, in which the files have made {count} "
                f"table(s), and tests are given {database!r}: take \\connect (\\c) and CREATE DATABASE out of the file "
                f"(pg_dump without --create){_renamed(other)}. If a second database is meant, end the file by "
                f"\\connect {database}"
            )


def _renamed(other: str) -> str:
    return (
        ""
        if other in TAKEN_DATABASES
        else f'; where programs want that name, write database = "{other}" on the service'
    )
