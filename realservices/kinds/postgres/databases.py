"""The databases that a PostgreSQL template holds beside the programs' own, and what makes a copy like its source."""

from __future__ import annotations

TEMPLATE_DATABASE = "realservices_template"
"""What clones are made from. Nobody may connect to it, because CREATE DATABASE refuses a source with clients."""
PRISTINE_DATABASE = "realservices_pristine"
"""A copy that nobody writes to, which rows are restored from."""
READY_DATABASES = [f"realservices_ready_{number}" for number in range(1, 5)]
"""Copies for the first tests that need a database of their own. In the archive copies are links and take no space."""
TAKEN_DATABASES = ("postgres", TEMPLATE_DATABASE, "template0", "template1")
"""What no service's database can be called."""

# Before, copying files was the only way.
_FIRST_WITH_STRATEGY = 150000
# Lists whose elements are quoted one by one, as pg_dump does (variable_is_guc_list_quote in its dumputils.c).
_LISTS = "local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"
# An empty element (search_path = '') stands there as "", which is no identifier.
_LIST_VALUE = r"""regexp_replace(value, '(^|, )""(?=,|$)', '\1''''', 'g')"""
_STATEMENTS = """
    SELECT 1 AS step, setting AS nth, CASE setrole WHEN 0 THEN format('ALTER DATABASE %I', {target})
            ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), {target}) END
        || format(' SET %s TO ', (SELECT string_agg(quote_ident(part), '.')
            FROM unnest(string_to_array(name, '.')) AS part))
        || CASE WHEN name IN ({lists}) THEN {list_value} ELSE quote_literal(value) END AS statement
        FROM (SELECT setrole, nth AS setting, split_part(entry, '=', 1) AS name,
                substr(entry, strpos(entry, '=') + 1) AS value
            FROM source JOIN pg_db_role_setting ON setdatabase = source.oid,
                unnest(setconfig) WITH ORDINALITY AS each (entry, nth)) AS one
    UNION ALL SELECT 2, 0, format('ALTER DATABASE %I OWNER TO %I', {target}, pg_get_userbyid(datdba))
        FROM source WHERE datdba <> owner_before AND pg_has_role(datdba, 'USAGE')
    UNION ALL SELECT 3, 0, format('ALTER DATABASE %I CONNECTION LIMIT %s', {target}, datconnlimit)
        FROM source WHERE datconnlimit <> limit_before
    UNION ALL SELECT 4, 0, format('REVOKE ALL ON DATABASE %I FROM %s CASCADE', {target}, {grantee})
        FROM source, LATERAL (SELECT 0 AS grantee UNION SELECT datdba
            UNION SELECT old.grantee FROM aclexplode(acl_before) AS old) AS before
        WHERE datacl IS NOT NULL
    UNION ALL SELECT 5, nth, format('GRANT %s ON DATABASE %I TO %s', privilege_type, {target}, {grantee})
            || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        FROM source, aclexplode(datacl) WITH ORDINALITY AS each (grantor, grantee, privilege_type, is_grantable, nth)"""
_GRANTEE = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
_COPY_PROPERTIES = f"""DO $realservices$ DECLARE one record; BEGIN
    FOR one IN WITH source AS (
            SELECT s.*, t.datdba AS owner_before, t.datconnlimit AS limit_before, t.datacl AS acl_before
            FROM pg_database AS s, pg_database AS t WHERE s.datname = {{source}} AND t.datname = {{target}})
        {_STATEMENTS}
        ORDER BY step, nth
    LOOP BEGIN EXECUTE one.statement;
    EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'not done: %', one.statement;
    END; END LOOP; END $realservices$"""  # noqa: S608 - the parts are constants
HAS_PROPERTIES = """SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = pg_database.oid)
        OR datdba <> to_regrole(quote_ident(current_user)) OR datconnlimit >= 0 OR datacl IS NOT NULL
    FROM pg_database WHERE datname = $1"""
"""Asks whether `copy_properties` would do anything for the copies of a database."""


def copy_database(source: str, target: str, server_version_num: int) -> str:
    """Return a statement that makes a database as a copy of another one's files, so that each row lies where it lay.

    For databases of this size it is twice as fast as the default, without fsync.
    """
    strategy = " STRATEGY FILE_COPY" if server_version_num >= _FIRST_WITH_STRATEGY else ""
    return f"CREATE DATABASE {_identifier(target)} TEMPLATE {_identifier(source)}{strategy}"


def copy_properties(source: str, target: str) -> str:
    """Return a statement that gives one database what another has beside its contents.

    These are settings (ALTER DATABASE … SET), owner, privileges and connection limit: CREATE DATABASE …
    TEMPLATE leaves them out (its manual page, "Notes"). What only a superuser may do is left out for another user.
    """
    names = {"source": _literal(source), "target": _literal(target), "grantee": _GRANTEE}
    return _COPY_PROPERTIES.format(**names, lists=", ".join(map(_literal, _LISTS)), list_value=_LIST_VALUE)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SCHEMAS_SETTINGS = {"default_transaction_read_only": "off", "role": "none", "statement_timeout": "0"}
"""What a migration may have set for the database or the superuser, and a connection of our own does not want."""
_FIRST_WITH_EVENT_TRIGGERS_SETTING = 170000


def own_settings(server_version_num: int) -> dict[str, str]:
    """Return what a connection of our own sets, for which a schema's settings are not meant.

    A migration may have made the database read-only, given the superuser another role, or triggers that refuse logins.
    """
    triggers = {"event_triggers": "off"} if server_version_num >= _FIRST_WITH_EVENT_TRIGGERS_SETTING else {}
    return SCHEMAS_SETTINGS | triggers


_END_CLIENTS = """DO $realservices$ BEGIN
    FOR attempt IN 1..2000 LOOP
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which} AND pid <> pg_backend_pid();
        EXIT WHEN NOT FOUND;
        PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();
    END LOOP; END $realservices$"""


def end_clients(which: str) -> str:
    """Return a statement that ends connections and waits, 10 s at most, until they are gone.

    A database with clients cannot be copied, and the server notices late that a client's process is gone.

    Args:
        which: A condition on pg_stat_activity. The connection that runs the statement stays.
    """
    return _END_CLIENTS.format(which=which)
