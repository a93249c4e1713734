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
_LIST_VALUE = r"""regexp_replace(one.value, '(^|, )""(?=,|$)', '\1''''', 'g')"""
_COPY_SETTINGS = """DO $realservices$ DECLARE one record; BEGIN
    FOR one IN SELECT setrole, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
        FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS entry
        WHERE datname = {source}
    LOOP BEGIN
        EXECUTE CASE one.setrole WHEN 0 THEN format('ALTER DATABASE %I', {target})
                ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(one.setrole), {target}) END
            || format(' SET %s TO ', (SELECT string_agg(quote_ident(part), '.')
                FROM unnest(string_to_array(one.name, '.')) AS part))
            || CASE WHEN one.name IN ({lists}) THEN {list_value} ELSE quote_literal(one.value) END;
    EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'not set: %', one; END; END LOOP; END $realservices$"""


def copy_database(source: str, target: str, server_version_num: int) -> str:
    """Return a statement that makes a database as a copy of another one's files, so that each row lies where it lay.

    For databases of this size it is twice as fast as the default, without fsync.
    """
    strategy = " STRATEGY FILE_COPY" if server_version_num >= _FIRST_WITH_STRATEGY else ""
    return f"CREATE DATABASE {_identifier(target)} TEMPLATE {_identifier(source)}{strategy}"


def copy_settings(source: str, target: str) -> str:
    """Return a statement that gives one database the settings of another (ALTER DATABASE … SET).

    CREATE DATABASE … TEMPLATE leaves them out (its manual page, "Notes"). Those that only a superuser may set are left
    out for another user.
    """
    lists = ", ".join(map(_literal, _LISTS))
    source, target = _literal(source), _literal(target)
    return _COPY_SETTINGS.format(source=source, target=target, lists=lists, list_value=_LIST_VALUE)


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
