"""What the planner knows of a schema's tables: without autovacuum nobody else would gather it.

A template that begins from another one has that one's; then the tables are looked at that have changed since, by the
numbers of the transactions that wrote the catalog's rows about them, and by the server's count of rows. The parents of
a partition that has changed have, too. The catalog's own tables are looked at when autovacuum would.
"""

from __future__ import annotations

import os

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.traits_query import NEXT_TRANSACTION
from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

_CANNOT = "cannot analyze"
# Before, counts arrived some time after a connection's end.
_FIRST_WITH_EXACT_COUNTS = 150000
# A connection that has just been closed counts what it did while it ends.
_AWAIT_OTHERS = """DO $realservices$ BEGIN
    FOR attempt IN 1..2000 LOOP
        EXIT WHEN NOT EXISTS (
            SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid());
        PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();
    END LOOP; END $realservices$;
"""
_ANALYZE_CHANGED = """WITH RECURSIVE touched AS (
    SELECT oid FROM pg_class WHERE xmin::text::bigint >= {since} OR pg_stat_get_mod_since_analyze(oid) >
        CASE relnamespace WHEN 'pg_catalog'::regnamespace THEN 50 + 0.1 * reltuples ELSE 0 END
    UNION SELECT attrelid FROM pg_attribute WHERE xmin::text::bigint >= {since}
    UNION SELECT indexrelid FROM pg_index WHERE xmin::text::bigint >= {since}
    UNION SELECT stxrelid FROM pg_statistic_ext WHERE xmin::text::bigint >= {since}
), changed AS (
    SELECT coalesce(indrelid, owner.oid, touched.oid) AS oid FROM touched
    LEFT JOIN pg_index ON indexrelid = touched.oid LEFT JOIN pg_class owner ON owner.reltoastrelid = touched.oid
    UNION SELECT inhparent FROM changed JOIN pg_inherits ON inhrelid = changed.oid
)
SELECT 'ANALYZE ' || string_agg(format('%I.%I', nspname, relname), ', ' ORDER BY nspname, relname)
FROM changed JOIN pg_class USING (oid) JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't' AND current_setting('track_counts')::bool
UNION ALL SELECT 'ANALYZE' WHERE NOT current_setting('track_counts')::bool
\\gexec
"""


def next_transaction(cluster: Cluster, database: str, *statements: str) -> int:
    """Return the number that the next transaction has that writes something, and run statements after that.

    Raises:
        TemplateError: The server does not say it, or refuses one.
    """
    return int(cluster.ask(database, f"SELECT {NEXT_TRANSACTION}", *statements)[0])


def analyze(cluster: Cluster, database: str, work: str, since: int = 0) -> None:
    """Gather statistics.

    Args:
        cluster: The server, which nobody else uses.
        database: The one whose tables are looked at.
        work: A directory for what psql is given.
        since: Of tables that have changed in this transaction or later; 0: of all.

    Raises:
        TemplateError: The server refuses it.
    """
    if not since or cluster.version_num < _FIRST_WITH_EXACT_COUNTS:
        cluster.execute(database, "ANALYZE", what=_CANNOT)
        return
    script = os.path.join(work, "analyze.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(_AWAIT_OTHERS + _ANALYZE_CHANGED.format(since=since))
    done = cluster.psql(database, "-o", os.devnull, "-f", script)
    if done.returncode:
        raise TemplateError(f"{_CANNOT}:\n{indented(done.stderr)}")
