"""The query for what a schema does by itself (isolation/traits.py), and the file in which a template keeps the answer.

Its first line is the number that the next transaction has when the template is used; the rest is the answer.
"""

from __future__ import annotations

TRAITS_FILE = "realservices_traits"
"""In the data directory."""
# A path of the data directory, whole; NULL where there is no such file.
TOLD_TRAITS = f"pg_read_file('{TRAITS_FILE}', 0, 1 << 29, true) AS told"
NEXT_TRANSACTION = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
"""The number of the next transaction that writes something."""
# When a server starts: its superuser gets a password (server/probe.py).
AT_START = 1
"""How many transactions the start of a server takes."""
_OWN = "NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))"
# An expression's call of a function that is not PostgreSQL's own: those have object ids from 16384 on.
_CALL_OF_USERS = ":funcid ([0-9]{6,}|[2-9][0-9]{4}|1[7-9][0-9]{3}|16[4-9][0-9]{2}|1639[0-9]|1638[4-9]) "
# Expressions are looked at in the form in which PostgreSQL keeps them, which names functions by object id.
_QUERY = f"""WITH clock AS MATERIALIZED (
        SELECT format('SQLVALUEFUNCTION|:funcid (%s) ', string_agg(oid::text, '|')) AS pattern FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname IN ('now', 'transaction_timestamp') OR (proname = 'age' AND pronargs = 1))),
    rules AS MATERIALIZED (SELECT relname, ev_action::text AS action
        FROM pg_class JOIN pg_rewrite ON ev_class = pg_class.oid WHERE relnamespace {_OWN})
    SELECT json_build_object(
        'defers', EXISTS (SELECT FROM pg_trigger WHERE tginitdeferred) OR EXISTS (SELECT FROM pg_foreign_table)
            OR EXISTS (SELECT FROM pg_constraint WHERE condeferred),
        'clock_in_checks', EXISTS (SELECT FROM pg_constraint, clock
            WHERE contype = 'c' AND connamespace {_OWN} AND conbin::text ~ pattern),
        'clock_in_defaults', (SELECT json_agg(DISTINCT relname)
            FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid, clock WHERE adbin::text ~ pattern),
        'clock_in_views', (SELECT json_agg(relname) FROM rules, clock WHERE action ~ pattern),
        'views', (SELECT json_agg(relname) FROM pg_class WHERE relkind = 'v' AND relnamespace {_OWN}),
        'calling', (SELECT json_agg(relname) FROM (SELECT relname, action FROM rules
            UNION ALL SELECT relname, polqual::text FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid) AS own
            WHERE action ~ '{_CALL_OF_USERS}'),
        'foreign', (SELECT json_agg(proname) FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
            WHERE pronamespace {_OWN} AND lanname IN ('internal', 'c') AND provolatile = 'v'),
        'functions', (SELECT json_agg(json_build_array(proname, prorettype = 'trigger'::regtype,
                coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)))
            FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
            WHERE pronamespace {_OWN} AND lanname NOT IN ('internal', 'c')))::jsonb"""  # noqa: S608 - the parts are constants

# Before PostgreSQL 14 there are no functions in SQL's own syntax.
_FIRST_WITH_SQL_BODIES = 140000


def traits_query(server_version_num: int) -> str:
    """Return a query that answers with one value, for `traits_of`."""
    if server_version_num >= _FIRST_WITH_SQL_BODIES:
        return _QUERY
    return _QUERY.replace("coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)", "prosrc")
