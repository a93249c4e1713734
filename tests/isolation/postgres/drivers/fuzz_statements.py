"""Statements that random tests of a driver send, and what a connection to PostgreSQL is like."""

from __future__ import annotations

SCHEMA = """
    CREATE TYPE mood AS ENUM ('sad', 'fine');
    CREATE TABLE head (id int PRIMARY KEY);
    CREATE TABLE item (a int PRIMARY KEY, b text, seen timestamptz DEFAULT now(), mood mood,
        of int CONSTRAINT item_of REFERENCES head DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE numbered (id serial PRIMARY KEY, data jsonb, tags text[]);
    CREATE TABLE told (n bigint);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO told SELECT count(*) FROM item; RAISE NOTICE 'told'; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER telling AFTER DELETE ON item DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE PROCEDURE add_twice(n int) LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO item VALUES (n, 'c'); COMMIT; INSERT INTO item VALUES (n + 10, 'c'); END $$;
    INSERT INTO item VALUES (0, 'first');
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 200', current_database()); END $$
"""
WRITES = (
    "INSERT INTO item VALUES ({n}, 'x')", "INSERT INTO item VALUES ({n}, 'x') RETURNING a", "UPDATE item SET b = b || 'y'",
    "DELETE FROM item WHERE a = {n}", "INSERT INTO item SELECT {n} + 1, 'z' ON CONFLICT DO NOTHING", "TRUNCATE item",
    "INSERT INTO item (a, of) VALUES ({n}, {n})", "INSERT INTO head VALUES ({n})", "DELETE FROM head",
    "INSERT INTO numbered (data, tags) VALUES ('{\"a\": {n}}', '{a,b}') RETURNING id", "SELECT setval('numbered_id_seq', {n}0)",
    "CALL add_twice({n})", "SELECT lo_create({n}00)", "CREATE TABLE made_{n} (a int)", "ALTER TABLE item ADD c{n} int",
    "CREATE INDEX CONCURRENTLY made_index_{n} ON item (b)", "ALTER TYPE mood ADD VALUE 'glad{n}'", "VACUUM item",
    "CREATE EXTENSION IF NOT EXISTS hstore", "CREATE ROLE fuzz_role_{n}", "INSERT INTO item (a, mood) VALUES ({n}, 'fine')",
)  # fmt: skip
READS = (
    "SELECT a, b FROM item ORDER BY a", "SELECT count(*) FROM item", "SELECT 1 / 0", "SELECT * FROM missing",
    "SELECT id, data, tags FROM numbered ORDER BY id", "SELECT mood FROM item ORDER BY a", "SELECT count(*) FROM told",
    "SELECT 1; SELECT 2", "SELECT 1; SELECT 1 / 0", "", "TABLE head", "SELECT pg_notify('news', 'n{n}')", "SELECT row(1, 'a')",
    "SELECT now() = statement_timestamp()", "SELECT extract(epoch FROM clock_timestamp() - now()) < 30", "SELECT 1::numeric",
    "SELECT '2020-01-01'::date, '2020-01-01 1:00+01'::timestamptz, 'a=>1'::text, '[1,3)'::int4range, '\\x01'::bytea",
    "SELECT set_config('work_mem', '6MB', true)", "SELECT nextval('numbered_id_seq')", "SELECT lastval()",
)  # fmt: skip
CONTROL = (
    "BEGIN", "BEGIN READ ONLY", "BEGIN ISOLATION LEVEL SERIALIZABLE", "COMMIT", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN",
    "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "SET TRANSACTION READ ONLY", "PREPARE TRANSACTION 'fuzz_{n}'",
    "COMMIT PREPARED 'fuzz_{n}'", "ROLLBACK PREPARED 'fuzz_{n}'", "SET CONSTRAINTS ALL IMMEDIATE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
)  # fmt: skip
SETTINGS = (
    "SET statement_timeout = '3{n}s'", "SET LOCAL statement_timeout = '3{n}s'", "SHOW statement_timeout",
    "RESET ALL", "SET app.tenant = '{n}'", "SET LOCAL app.tenant = '{n}'", "SELECT current_setting('app.tenant', true)",
    "SELECT set_config('app.tenant', '{n}', true)", "SELECT set_config('app.tenant', '{n}', false)", "SET ROLE pg_monitor",
    "SET LOCAL ROLE pg_monitor", "SELECT current_user = session_user", "SET search_path = pg_catalog", "SET TimeZone = 'Asia/Tokyo'",
    "SET DateStyle = 'German'", "SET client_encoding = 'latin1'", "SET extra_float_digits = 0", "SET bytea_output = 'escape'",
    "SET IntervalStyle = 'iso_8601'", "SET standard_conforming_strings = off", "SET default_transaction_read_only = on",
    "SET application_name = 'fuzz{n}'", "SHOW application_name", "SET SESSION AUTHORIZATION pg_monitor", "SHOW work_mem",
    "SET default_transaction_isolation = 'serializable'", "SET client_min_messages = 'error'", "SET lc_messages = 'C'",
    "SET session_replication_role = 'replica'", "LOAD 'auto_explain'", "SET transaction_timeout = '99s'", "SET work_mem = '7MB'",
)  # fmt: skip
SESSION = (
    "CREATE TEMP TABLE scratch (x int) ON COMMIT DROP", "CREATE TEMP TABLE scratch (x int) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE scratch (x int)", "INSERT INTO scratch VALUES ({n})", "SELECT count(*) FROM scratch",
    "CREATE TEMP TABLE item (a int)", "CREATE TEMP SEQUENCE temp_numbers", "CREATE FUNCTION pg_temp.one() RETURNS int RETURN 1",
    "DECLARE c CURSOR FOR SELECT a FROM item ORDER BY a", "DECLARE c CURSOR WITH HOLD FOR SELECT a FROM item ORDER BY a",
    "FETCH 2 FROM c", "CLOSE ALL", "SELECT pg_advisory_xact_lock({n})", "SELECT pg_advisory_lock({n})", "DISCARD TEMP",
    "DISCARD ALL", "DISCARD PLANS", "PREPARE p AS SELECT {n}", "EXECUTE p", "DEALLOCATE ALL", "LISTEN news", "UNLISTEN *",
    "NOTIFY news, 'n{n}'", "LOCK TABLE item", "DO $$ BEGIN RAISE NOTICE 'said'; RAISE WARNING 'warned'; END $$",
    "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_cancel_backend(pg_backend_pid())", "SELECT setseed(0.{n})",
    "ALTER ROLE CURRENT_USER SET work_mem = '9MB'", "SELECT pg_replication_origin_create('fuzz{n}')",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, x', current_database()); END $$",
    "SELECT pg_replication_origin_session_setup('fuzz{n}')",
    "SELECT random()", "DO $$ BEGIN PERFORM set_config('app.other', 'n', false); END $$",
)  # fmt: skip
TABLES = "item", "head", "numbered", "told"
CONTENTS = (
    "SELECT (SELECT string_agg(concat_ws(',', a, b, mood, of), ';' ORDER BY a) FROM public.item), "
    "(SELECT string_agg(id::text, ';' ORDER BY id) FROM public.head), "
    "(SELECT string_agg(concat_ws(',', id, data, tags), ';' ORDER BY id) FROM public.numbered), "
    "(SELECT string_agg(n::text, ';' ORDER BY n) FROM public.told), (SELECT last_value FROM public.numbered_id_seq), "
    "(SELECT string_agg(oid::text, ';' ORDER BY oid) FROM pg_largeobject_metadata), "
    "(SELECT string_agg(relname, ';' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace), "
    "(SELECT string_agg(gid, ';' ORDER BY gid) FROM pg_prepared_xacts WHERE database = current_database()), "
    "(SELECT string_agg(rolname, ';' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'fuzz%')"
)
"""What is in the database: one row of texts."""
SESSION_STATE = (
    "SELECT (SELECT string_agg(name || '=' || setting, ';' ORDER BY name) FROM pg_settings "
    "WHERE name !~ '^(plpgsql|tcp)'), "
    "(SELECT string_agg(name || statement, ';') FROM pg_prepared_statements WHERE name !~ '^(_pg3|__asyncpg)'), "
    "(SELECT string_agg(name, ';') FROM pg_cursors WHERE statement !~ 'pg_settings'), "
    "(SELECT string_agg(relname, ';') FROM pg_class WHERE relnamespace = pg_my_temp_schema()), "
    "(SELECT string_agg(objid::text, ';') FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), "
    "(SELECT string_agg(name, ';') FROM pg_listening_channels() AS name), current_user, session_user, current_schemas(false)::text, "
    "current_setting('app.tenant', true), current_setting('app.other', true), "
    "(SELECT string_agg(relation::regclass::text, ';') FROM pg_locks WHERE pid = pg_backend_pid() AND relation > 16384)"
)
"""What a session is like that was made for a test, or kept for it: one row."""
