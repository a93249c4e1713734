"""Files of SQL that make their tables in another database than the service's, as those of `pg_dump --create` do."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.databases import TAKEN_DATABASES
from realservices.kinds.postgres.template.copies import COPIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

# Tables and the like, but for those of extensions. What initdb makes has lower numbers.
_TABLES = """SELECT count(*) FROM pg_class
    WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')"""
_OTHERS = """SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database()
    AND datname NOT IN ({own}) AND ({tables}) = 0"""


def refuse_tables_elsewhere(cluster: Cluster, database: str) -> None:
    """Refuse a database without tables beside another one that has some: tests would find nothing in it.

    Args:
        cluster: The server, which runs.
        database: The one that programs will be given.

    Raises:
        TemplateError: It is so.
    """
    own = ", ".join(f"'{name}'" for name in COPIES)
    for other in cluster.ask(database, _OTHERS.format(own=own, tables=_TABLES)):
        (count,) = cluster.ask(other, _TABLES)
        if count != "0":
            renamed = f'; where programs want that name, write database = "{other}" on the service'
            raise TemplateError(
                f"the files have made {count} table(s) in database {other!r} and none in {database!r}, which is the "
                f"one that tests are given. A \\connect does that, and with it pg_dump --create: take it and CREATE "
                f"DATABASE out of the files (pg_dump without --create){'' if other in TAKEN_DATABASES else renamed}"
            )
