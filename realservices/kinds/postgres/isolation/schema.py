"""What a database's schema is, to tell whether a test, or a server on its behalf, has changed it.

Everything in it has a name and a text that differs whenever it is another one. Looked at are the catalogues themselves
(https://www.postgresql.org/docs/current/catalogs.html). Not looked at: comments, statistics, and what belongs to the
server instead of a database: roles, settings of databases and roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from realservices.kinds.postgres.isolation.restore.pristine import Pristine

# Of pg_class c in pg_namespace n: neither PostgreSQL's own nor an extension's.
OWN = """n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""
_SCHEMA = f"""WITH own AS MATERIALIZED (
        SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'i', 'I', 'S', 'f') AND c.relpersistence <> 't' AND {OWN})
    SELECT format('%I.%I', nspname, relname) AS name,
        concat(relkind, relpersistence, relrowsecurity, relforcerowsecurity, relispartition, relacl, reloptions, (
            SELECT string_agg(concat(attnum, ' ', attname, ' ', format_type(atttypid, atttypmod), attnotnull,
                attidentity, attgenerated, attacl), ',' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = own.oid AND attnum > 0 AND NOT attisdropped)) AS definition
    FROM own
    UNION ALL SELECT format('default of %s.%I', adrelid::regclass, attname), pg_get_expr(adbin, adrelid)
    FROM pg_attrdef JOIN own ON own.oid = adrelid JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    UNION ALL SELECT format('constraint %I on %s', conname, conrelid::regclass), pg_get_constraintdef(con.oid)
    FROM pg_constraint con JOIN own ON own.oid = conrelid
    UNION ALL SELECT format('trigger %I on %s', tgname, tgrelid::regclass), concat(tgenabled, pg_get_triggerdef(t.oid))
    FROM pg_trigger t JOIN own ON own.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL SELECT format('rule %I on %s', rulename, ev_class::regclass), concat(ev_enabled, md5(ev_action::text))
    FROM pg_rewrite JOIN own ON own.oid = ev_class
    UNION ALL SELECT format('policy %I on %s', polname, polrelid::regclass), md5(p::text)
    FROM pg_policy p JOIN own ON own.oid = polrelid
    UNION ALL SELECT format('sequence %s', seqrelid::regclass), s::text
    FROM pg_sequence s JOIN own ON own.oid = seqrelid
    UNION ALL SELECT format('function %s', p.oid::regprocedure), md5(p::text)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    UNION ALL SELECT format('type %s', enumtypid::regtype), string_agg(enumlabel, ',' ORDER BY enumsortorder)
    FROM pg_enum GROUP BY enumtypid
    UNION ALL SELECT format('schema %I', nspname), concat(nspacl)
    FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
    UNION ALL SELECT format('extension %I', extname), extversion FROM pg_extension"""  # noqa: S608 - the parts are constants


async def read_schema(connection: asyncpg.Connection | Pristine) -> dict[str, str]:
    """Return name and definition of everything in the connection's database."""
    return {row["name"]: row["definition"] for row in await connection.fetch(_SCHEMA)}


def explain_change(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say what was made, dropped and changed, and what to do about it."""
    made = sorted(after.keys() - before.keys())
    gone = sorted(before.keys() - after.keys())
    changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
    differences = (("made", made), ("dropped", gone), ("changed", changed))
    shown = ", ".join(f"{word} {', '.join(names)}" for word, names in differences if names)
    return (
        f"a test, or a server on its behalf, has changed the schema of a database that servers use: {shown}. "
        "The database has been made anew from its template. Put the schema into the service's migrations, or change it "
        "in a cloned_database"
    )
