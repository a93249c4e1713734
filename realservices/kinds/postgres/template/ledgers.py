"""The tables in which migrators write down what they have done, and when: the same times in each template.

No migrator reads its times again; a template with them would be another one each time that it is built.
"""

from __future__ import annotations

import os

from realservices.contract.errors import TemplateError
from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

_TIME = "2000-01-01 00:00:00+00"
# Table, column, value.
_LEDGERS = (
    ("django_migrations", "applied", _TIME),  # Django
    ("flyway_schema_history", "execution_time", "0"),  # Flyway
    ("flyway_schema_history", "installed_on", _TIME),
    ("goose_db_version", "tstamp", _TIME),  # goose
    ("knex_migrations", "migration_time", _TIME),  # knex
)
# VACUUM FULL leaves nothing of the rows as they were.
_FORGET = """WITH ledgers (relname, attname, value) AS (VALUES {rows}), found AS (
    SELECT pg_class.oid::regclass AS name, string_agg(format('%I = %L', attname, value), ', ' ORDER BY attname) AS news
    FROM ledgers JOIN pg_class USING (relname) JOIN pg_attribute USING (attname)
    WHERE attrelid = pg_class.oid AND relkind = 'r' GROUP BY pg_class.oid
)
SELECT format('UPDATE %s SET %s', name, news) FROM found
UNION ALL SELECT format('VACUUM (FULL) %s', name) FROM found ORDER BY 1
\\gexec
"""


def forget_times(cluster: Cluster, database: str, directory: str) -> None:
    """Give all that migrators have written down the same time.

    Args:
        cluster: The server, which runs.
        database: The database that they have migrated.
        directory: For what psql is given.

    Raises:
        TemplateError: The server refuses it.
    """
    rows = ", ".join(f"('{table}', '{column}', '{value}')" for table, column, value in _LEDGERS)
    os.makedirs(directory, exist_ok=True)
    script = os.path.join(directory, "ledgers.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(_FORGET.format(rows=rows))
    done = cluster.psql(database, "-o", os.devnull, "-f", script)
    if done.returncode:
        raise TemplateError(f"cannot give what migrators wrote down a fixed time:\n{indented(done.stderr)}")
