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
HANGING = (
    "set_config", "pg_notify", "notify", "pg_advisory_xact_*", "pg_try_advisory_xact_*", "refcursor", "dblink*",
    "concurrently", "txid_*", "pg_current_xact_id*", "pg_*snapshot*", "pg_xact_*", "xmin", "xmax", "cmin", "cmax",
    "pg_locks", "pg_cursors", "pg_stat_*", "pg_prepared_xacts", "lo_*", "loread", "lowrite", "setval", "pg_logical_*",
    "pg_replication_*", "pg_create_*", "pg_drop_replication_slot", "pg_reload_conf", "deferred", "deferrable",
    "constraints", "default_transaction_*", "transaction_isolation", "transaction_read_only", "transaction_deferrable",
    "idle_in_transaction_session_timeout", "transaction_timeout",
)  # fmt: skip
"""Names of functions, columns, views and settings that tell or use something of the transaction at the top; and of what
no rollback undoes. A ``*`` stands for any letters."""
_OWN = "NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))"
_HANGING = f"LIKE ANY ('{{{','.join(HANGING).replace('*', '%')}}}')"
# How a constant text ends that ends with now, today, tomorrow or yesterday: by its bytes.
_CLOCK_TEXTS = "110 111 119 ]", "116 111 100 97 121 ]", "114 114 111 119 ]", "115 116 101 114 100 97 121 ]"
_IS_CLOCK_TEXT = " OR ".join(f"strpos(use, '{text}') > 0" for text in _CLOCK_TEXTS)
# What a trigger in C does, nobody can read: moddatetime uses the time, tcn notifies.
_ANYTHING = "now() pg_notify"
# Expressions are looked at in the form in which PostgreSQL keeps them, which names its own functions and views by their
# object ids: `funcid 1299`. What an object needs of others, pg_depend knows. A regular expression of all ids takes ten
# times as long as splitting.
#
# `place` says when a part is used: 'named', by a text with its relation's name; 'inserted', by one that writes what
# that relation's columns say; 'written', by any that writes; 'altered', by any that changes the schema; 'anywhere'.
_QUERY = f"""WITH own (id, part) AS MATERIALIZED (
        SELECT oid::text, proname || '()' FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname IN ('now', 'transaction_timestamp') OR (proname = 'age' AND pronargs = 1)
                OR proname {_HANGING})
        UNION ALL SELECT oid::text, relname FROM pg_class
        WHERE relkind = 'v' AND relnamespace = 'pg_catalog'::regnamespace AND relname {_HANGING}),
    named AS NOT MATERIALIZED (
        SELECT 'pg_rewrite'::regclass AS classid, pg_rewrite.oid AS objid, relname,
            ev_action::text || ev_qual::text AS tree
        FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE relnamespace {_OWN}
        UNION ALL SELECT 'pg_policy'::regclass, pg_policy.oid, relname,
            coalesce(polqual::text, '') || coalesce(polwithcheck::text, '')
        FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid),
    expressions AS NOT MATERIALIZED (
        SELECT 'named' AS place, relname, tree FROM named
        UNION ALL SELECT 'inserted', relname, adbin::text FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid
        UNION ALL SELECT CASE contypid WHEN 0 THEN 'written' ELSE 'anywhere' END, '', conbin::text
        FROM pg_constraint WHERE contype = 'c' AND connamespace {_OWN}
        UNION ALL SELECT 'written', '', typdefaultbin::text FROM pg_type WHERE typnamespace {_OWN}
        UNION ALL SELECT 'written', '', tgqual::text FROM pg_trigger WHERE NOT tgisinternal),
    uses AS MATERIALIZED (
        SELECT * FROM (SELECT place, relname, split_part(use, ' ', 1) AS id, CASE
                WHEN strpos(use, 'SQLVALUEFUNCTION :op') > 0 AND use ~ 'SQLVALUEFUNCTION :op [0-8] ' THEN 'now()'
                WHEN {_IS_CLOCK_TEXT} THEN 'now()'
                WHEN strpos(use, 'NOTIFYSTMT') > 0 THEN 'notify' END AS clause
            FROM expressions, unnest(string_to_array(tree, 'id ')) AS use) AS found
        WHERE clause IS NOT NULL OR (id IN (SELECT id FROM own)) IS TRUE),
    calls AS (
        SELECT classid, objid, proname FROM pg_depend JOIN pg_proc ON pg_proc.oid = refobjid
            JOIN pg_language ON pg_language.oid = prolang
        WHERE refclassid = 'pg_proc'::regclass AND classid <> 'pg_proc'::regclass AND pronamespace {_OWN}
            AND (lanname NOT IN ('internal', 'c') OR provolatile = 'v' OR prokind = 'a')),
    parts AS (
        SELECT place, relname, coalesce(clause, part) AS part FROM uses LEFT JOIN own USING (id)
        UNION SELECT CASE WHEN relname IS NOT NULL THEN 'named'
                WHEN classid IN ('pg_attrdef'::regclass, 'pg_class'::regclass, 'pg_trigger'::regclass)
                    OR EXISTS (SELECT FROM pg_constraint WHERE oid = objid AND contypid = 0) THEN 'written'
                WHEN classid = 'pg_event_trigger'::regclass THEN 'altered' ELSE 'anywhere' END,
            coalesce(relname, ''), proname FROM calls LEFT JOIN named USING (classid, objid)
        UNION SELECT 'named', named.relname, pg_class.relname FROM named JOIN pg_depend USING (classid, objid)
            JOIN pg_class ON pg_class.oid = refobjid
        WHERE refclassid = 'pg_class'::regclass AND named.relname <> pg_class.relname
            AND (relkind = 'v' OR relrowsecurity))
    SELECT json_build_object(
        'defers', EXISTS (SELECT FROM pg_trigger WHERE tginitdeferred) OR EXISTS (SELECT FROM pg_foreign_table)
            OR EXISTS (SELECT FROM pg_constraint WHERE condeferred),
        'parts', (SELECT json_agg(json_build_array(place, relname, part)) FROM parts),
        'views', (SELECT json_agg(relname) FROM pg_class WHERE relkind = 'v' AND relnamespace {_OWN}),
        'foreign', (SELECT json_agg(proname) FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
            WHERE pronamespace {_OWN} AND lanname IN ('internal', 'c') AND provolatile = 'v'),
        'functions', (SELECT json_agg(json_build_array(proname, prorettype = 'trigger'::regtype
                AND (lanname <> 'c' OR EXISTS (SELECT FROM pg_trigger WHERE tgfoid = pg_proc.oid)), concat_ws(' ',
                CASE WHEN lanname NOT IN ('internal', 'c') THEN coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)
                    WHEN lanname = 'c' THEN '{_ANYTHING}' END,
                CASE WHEN pronargdefaults > 0 THEN pg_get_function_arguments(pg_proc.oid) END,
                aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn,
                aggmfinalfn)))
            FROM pg_proc JOIN pg_language ON pg_language.oid = prolang LEFT JOIN pg_aggregate ON aggfnoid = pg_proc.oid
            WHERE pronamespace {_OWN} AND (lanname NOT IN ('internal', 'c') OR prokind = 'a'
                OR (lanname = 'c' AND prorettype = 'trigger'::regtype))))::jsonb"""  # noqa: S608 - the parts are constants

# Before PostgreSQL 14 there are no functions in SQL's own syntax.
_FIRST_WITH_SQL_BODIES = 140000


def traits_query(server_version_num: int) -> str:
    """Return a query that answers with one value, for `traits_of`."""
    if server_version_num >= _FIRST_WITH_SQL_BODIES:
        return _QUERY
    return _QUERY.replace("coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)", "prosrc")
