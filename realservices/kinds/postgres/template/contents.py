"""What is in the tables of a template, as text: to tell in which row two builds differ.

A line is the table, a tab, and a row as COPY writes it. Beside tables of the schema there are the values of sequences,
the passwords of roles, and the planner's statistics.
"""

from __future__ import annotations

import os

from realservices.contract.errors import TemplateError
from realservices.contract.template_info import ROLES, STATISTICS
from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

_CONTENTS = """
SELECT format('COPY (SELECT %L, t FROM %s t) TO STDOUT', oid::regclass, oid::regclass)
FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence <> 't'
    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
ORDER BY oid::regclass::text
\\gexec
COPY (SELECT 'sequences', schemaname, sequencename, last_value FROM pg_sequences ORDER BY 2, 3) TO STDOUT;
COPY (SELECT '{roles}', rolname, rolpassword FROM pg_authid ORDER BY 2) TO STDOUT;
COPY (SELECT '{statistics}' || starelid::regclass, s FROM pg_statistic s ORDER BY starelid, staattnum) TO STDOUT;
"""


def write_contents(cluster: Cluster, database: str, path: str, work: str) -> None:
    """Write what is in a database.

    Args:
        cluster: The server, which runs.
        database: The database.
        path: The file to write.
        work: A directory for what psql is given.

    Raises:
        TemplateError: The server refuses it.
    """
    script = os.path.join(work, "contents.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(_CONTENTS.format(roles=ROLES, statistics=STATISTICS))
    done = cluster.psql(database, "-o", path, "-f", script)
    if done.returncode:
        raise TemplateError(f"cannot read what is in the tables:\n{indented(done.stderr)}")
