"""Whether a session is as a new one after it was reset.

DISCARD ALL leaves some things, which one text shows:

- a setting of the application's own (`SET app.tenant`) is the empty text from then on, where a new session has none,
  and no view lists such settings. They take memory, though, in a context that all other settings leave as it was when
  they are reset (utils/misc/guc.c, add_placeholder_variable);
- connections that dblink and postgres_fdw have opened, which have memory of their own, too;
- the replication origin;
- what roles and databases had set when the session began (`ALTER ROLE … SET`).

Where a login trigger looks at each new session, none is as a new one.
"""

from __future__ import annotations

RESET = "DISCARD ALL"
# Loaded by the first function that needs it, with settings of its own. Other libraries cost the session.
PREPARE = "LOAD 'plpgsql'"
STATE = """SELECT md5(concat_ws(' ',
    (SELECT sum(used_bytes) FROM pg_get_backend_memory_contexts() WHERE name IN
        ('GUCMemoryContext', 'GUC hash table', 'Remote Con hash', 'postgres_fdw connections')),
    pg_replication_origin_session_is_setup(),
    (SELECT max(clock_timestamp()) FROM pg_event_trigger WHERE evtevent = 'login'),
    (SELECT string_agg(s::text, ' ' ORDER BY s::text) FROM pg_db_role_setting AS s
        WHERE setdatabase = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))))"""
HAS_STATE = f"SELECT FROM ({STATE}) AS now (state) WHERE state = '{{}}'"
"""Whether it is this one: the status is "SELECT 1"."""
