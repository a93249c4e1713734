"""Whether a session is as a new one after it was reset.

DISCARD ALL resets everything but one thing: a setting of the application's own (`SET app.tenant`) is the empty text
from then on, where a new session has none, and no view lists such settings. They take memory, though, in a context that
all other settings leave as it was when they are reset (utils/misc/guc.c, add_placeholder_variable).
"""

from __future__ import annotations

RESET = "DISCARD ALL"
# Loaded by the first function that needs it, with settings of its own. Other libraries cost the session.
PREPARE = "LOAD 'plpgsql'"
SETTINGS_SIZE = """SELECT sum(used_bytes)::text FROM pg_get_backend_memory_contexts()
    WHERE name IN ('GUCMemoryContext', 'GUC hash table')"""
HAS_SETTINGS_SIZE = f"SELECT FROM ({SETTINGS_SIZE}) AS now (size) WHERE size = '{{}}'"
"""Whether it is this one: the status is "SELECT 1"."""
