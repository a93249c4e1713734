"""All that a database and its server hold, as texts to compare: asked for in another way than restoring does."""

from __future__ import annotations

from typing import Any

_OF_FILES = "{relfilenode,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}"
_RELATIONS = """SELECT format('%I.%I', nspname, relname) AS name, relkind::text AS kind, relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT (n.nspname = 'pg_catalog' AND c.reltuples > $1) AND relkind IN ('r', 'm', 'S') AND relpersistence <> 't' AND nspname NOT LIKE 'pg_toast%' AND NOT relisshared
    ORDER BY 1"""
_SERVER = {
    "roles": "SELECT a::text FROM pg_authid a",
    "memberships": "SELECT (to_jsonb(m) - 'oid')::text FROM pg_auth_members m",
    "settings": "SELECT CASE setdatabase WHEN 0 THEN '' ELSE 'own' END || setrole || setconfig::text "
    "FROM pg_db_role_setting WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
    "databases": "SELECT d::text FROM (SELECT datname, datdba, datacl, datconnlimit, datallowconn, datistemplate FROM pg_database "
    "WHERE datname NOT LIKE 'realservices%') d",
    "own": "SELECT d::text FROM (SELECT datdba, datacl, datconnlimit, datallowconn FROM pg_database "
    "WHERE datname = current_database()) d",
    "tablespaces": "SELECT t::text FROM pg_tablespace t",
    "comments": "SELECT d::text FROM pg_shdescription d",
    "privileges": "SELECT parname || paracl::text FROM pg_parameter_acl",
    "dependencies": "SELECT (to_jsonb(s) - 'dbid')::text FROM pg_shdepend s WHERE dbid = 0",
    "slots": "SELECT slot_name FROM pg_replication_slots",
    "prepared": "SELECT gid FROM pg_prepared_xacts",
    "parameters": "SELECT name || ' ' || coalesce(setting, '') FROM pg_settings WHERE name <> 'application_name'",
    "region": "SELECT current_setting('app.region', true)",
    "clients": "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name <> 'realservices restoring'",
}


async def contents(connection: Any, *, thorough: bool) -> dict[str, str]:
    """Return a text for each relation of the database (large catalogs only if thorough), and for each part of the server."""
    relations = await connection.fetch(_RELATIONS, 1e9 if thorough else 500)
    parts = [
        f"SELECT {number}, count(*) || ' ' || sum(hashtextextended(line, 1)) FROM ({_lines(relation)}) AS s (line)"
        for number, relation in enumerate(relations)
    ]
    found = {relations[row[0]]["name"]: row[1] or "" for row in await connection.fetch(" UNION ALL ".join(parts))}
    for name, query in _SERVER.items():
        found[f"server: {name}"] = "\n".join(sorted(str(row[0]) for row in await connection.fetch(query)))
    return found


def _lines(relation: Any) -> str:
    name = relation["name"]
    if relation["kind"] == "S":
        return f"SELECT concat_ws(' ', last_value, is_called) FROM {name}"
    if name == "pg_catalog.pg_class":
        return f"SELECT (to_jsonb(c) - '{_OF_FILES}'::text[])::text FROM pg_class c"
    if name == "pg_catalog.pg_namespace":
        return "SELECT n::text FROM pg_namespace n WHERE nspname NOT LIKE 'pg%temp%'"
    return f"SELECT t::text FROM ONLY {name} t"
