"""What random tests do with a ClickHouse database: statements that change rows, tables, and the server."""

from __future__ import annotations

TABLES = ("events", "latest", "totals", "remembered", "noted", "tiny", "striped", "counted", "kept", "shown")
"""Those that can be read as a whole."""

READS = (
    *(f"SELECT * FROM {table} ORDER BY ALL" for table in TABLES), "SELECT joinGet('pairs', 'what', toUInt32({n}))",
    "SELECT number FROM numbers(5) WHERE number IN chosen", "SELECT count() FROM events SETTINGS use_query_cache = 1",
    "SELECT what FROM remembered ORDER BY what SETTINGS use_query_cache = 1", "SELECT nothing", "SELECT 1 FROM missing",
    "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done",
    "SELECT count() FROM system.detached_parts WHERE database = currentDatabase()", "SELECT count() FROM mine", "SELECT f{n}(1)",
    "SELECT getSetting('max_threads')", "SELECT value FROM system.settings WHERE name = 'max_block_size'", "EXISTS TABLE t{n}",
    "SELECT count() FROM system.dictionaries WHERE database = currentDatabase()", "SELECT * FROM t{n}",
    "SELECT comment FROM system.databases WHERE name = currentDatabase()", "SELECT count() FROM file('mine{n}.csv', 'CSV', 'x Int32')",
    "SELECT x FROM mine{n}.t", "SELECT name FROM system.databases WHERE name LIKE 'mine%' ORDER BY name",
    "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'", "SELECT name FROM system.named_collections", "SELECT * FROM default.t",
)  # fmt: skip
WRITES = (
    "INSERT INTO events VALUES ({n}, 'x')", "INSERT INTO latest VALUES ({n}, 3, 'v')", "INSERT INTO totals VALUES ({n}, 5)",
    "INSERT INTO remembered VALUES ({n}, 'w')", "INSERT INTO noted VALUES ({n}, 'o')", "INSERT INTO tiny VALUES ({n})",
    "INSERT INTO striped VALUES ({n})", "INSERT INTO pairs VALUES ({n}, 'q')", "INSERT INTO chosen VALUES ({n})", "INSERT INTO kept VALUES ({n})",
    "TRUNCATE TABLE remembered", "TRUNCATE TABLE noted", "TRUNCATE TABLE tiny", "TRUNCATE TABLE chosen", "TRUNCATE TABLE events", "TRUNCATE TABLE pairs",
    "DELETE FROM events WHERE id = {n}", "ALTER TABLE events UPDATE what = 'u' WHERE id = {n} SETTINGS mutations_sync = 1",
    "ALTER TABLE events DELETE WHERE id = {n} SETTINGS mutations_sync = 1", "ALTER TABLE remembered UPDATE what = 'u' WHERE id = {n} SETTINGS mutations_sync = 1",
    "ALTER TABLE remembered DELETE WHERE id = {n} SETTINGS mutations_sync = 1", "ALTER TABLE pairs DELETE WHERE id = {n} SETTINGS mutations_sync = 1",
    "OPTIMIZE TABLE latest FINAL", "OPTIMIZE TABLE events FINAL", "ALTER TABLE events DETACH PARTITION 0", "ALTER TABLE events ATTACH PARTITION 0",
    "ALTER TABLE events DROP PARTITION 1", "ALTER TABLE events UPDATE what = toString(sleepEachRow(0.2)) WHERE 1 SETTINGS mutations_sync = 0",
    "ALTER TABLE events DELETE WHERE sleepEachRow(0.2) = 0 AND id < 9 SETTINGS mutations_sync = 0", "TRUNCATE DATABASE IF EXISTS missing",
    "INSERT INTO events SELECT id + 10, what FROM events", "ALTER TABLE events DROP DETACHED PARTITION ALL SETTINGS allow_drop_detached = 1",
)  # fmt: skip
CHANGES = (
    "CREATE TABLE t{n} (x Int32) ENGINE = Memory", "DROP TABLE IF EXISTS t{n}", "CREATE TEMPORARY TABLE mine (x Int32)", "INSERT INTO mine VALUES (1)",
    "SET max_block_size = 12345", "SET max_threads = 1", "ALTER TABLE events ADD COLUMN more Int32", "ALTER TABLE events COMMENT COLUMN what 'c'",
    "EXCHANGE TABLES events AND latest", "RENAME TABLE noted TO t{n}", "DETACH TABLE tiny", "DETACH TABLE tiny PERMANENTLY", "ATTACH TABLE tiny",
    "CREATE FUNCTION f{n} AS x -> x + {n}", "DROP FUNCTION IF EXISTS f{n}", "CREATE NAMED COLLECTION c{n} AS a = {n}", "CREATE DATABASE mine{n}",
    "CREATE TABLE mine{n}.t (x Int32) ENGINE = MergeTree ORDER BY x", "INSERT INTO mine{n}.t VALUES ({n})", "DETACH DATABASE mine{n}",
    "DETACH TABLE mine{n}.t", "DETACH TABLE mine{n}.t PERMANENTLY", "RENAME DATABASE mine{n} TO mine{m}", "CREATE TABLE default.t (x Int32) ENGINE = Memory",
    "DETACH TABLE default.t", "DETACH TABLE default.t PERMANENTLY", "ALTER DATABASE {own} MODIFY COMMENT 'mine'",

    "INSERT INTO FUNCTION file('mine{n}.csv', 'CSV', 'x Int32') VALUES ({n})", "ALTER TABLE events FREEZE WITH NAME 'mine{n}'",
    "CREATE DICTIONARY t{n} (id UInt64, what String) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'events')) LAYOUT(FLAT()) LIFETIME(0)",
    "SELECT dictGet('t{n}', 'what', toUInt64(1))", "CREATE VIEW t{n} AS SELECT 1", "DROP TABLE noted", "KILL QUERY WHERE query_id = 'x'",
    "KILL MUTATION WHERE database = currentDatabase() SYNC", "CREATE MATERIALIZED VIEW t{n} ENGINE = Memory AS SELECT id FROM events",
    "UNDROP TABLE noted", "CREATE OR REPLACE TABLE t{n} (y String) ENGINE = Log", "CREATE WORKLOAD all", "CREATE RESOURCE cpu (MASTER THREAD, WORKER THREAD)",
    "BACKUP TABLE events TO Memory('b{n}')", "SYSTEM DROP QUERY CACHE", "ALTER TABLE events MODIFY SETTING merge_with_ttl_timeout = 9",
    "SYSTEM SHUTDOWN", "SYSTEM STOP LISTEN HTTP", "SYSTEM KILL", "SYSTEM RELOAD CONFIG", "USE default", "DROP DATABASE IF EXISTS mine{n}", "USE mine{n}",
    "SYSTEM FLUSH LOGS", "SYSTEM DISABLE FAILPOINT x", "DROP NAMED COLLECTION IF EXISTS c{n}",
    "DROP DATABASE default", "ALTER TABLE events MODIFY TTL toDate(0) + id",
)  # fmt: skip
