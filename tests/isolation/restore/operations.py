"""What a random test does to a database: statements of every kind, by chance within transactions that commit or not."""

from __future__ import annotations

import random
from collections.abc import Callable

Operation = Callable[[random.Random], str]


def _n(rng: random.Random, most: int = 250) -> int:
    return rng.randint(1, most)


_ROWS: list[Operation] = [
    lambda r: f"INSERT INTO parent (name) VALUES ('new {_n(r, 9)}')",
    lambda r: (
        f"INSERT INTO parent (name) SELECT 'many ' || g FROM generate_series(1, {_n(r)}) g ON CONFLICT DO NOTHING"
    ),
    lambda r: f"UPDATE parent SET name = name || '!' WHERE id = {_n(r)}",
    lambda r: f"UPDATE parent SET at = at WHERE id % {_n(r, 9)} = 0",
    lambda r: f"DELETE FROM parent WHERE id = {_n(r)}",
    lambda r: f"DELETE FROM parent WHERE id % {_n(r, 20)} = 1",
    lambda r: f"INSERT INTO child (parent, amount, p, d) VALUES (1, {_n(r)}, ROW(1, 'x'), {_n(r)})",
    lambda r: f"INSERT INTO child OVERRIDING SYSTEM VALUE VALUES ({_n(r, 9999)}, 1, 2)",
    lambda r: (
        f"UPDATE child SET meta = meta || '{{\"u\": {_n(r)}}}', state = 'closed' WHERE id BETWEEN {_n(r)} AND 300"
    ),
    lambda r: f"DELETE FROM child WHERE d < {_n(r)}",
    lambda r: f'UPDATE other."Odd, name" SET "a,b" = \'z\', "select" = "select" + 1000 WHERE "select" = {_n(r, 50)}',
    lambda r: f'DELETE FROM other."Odd, name" WHERE "select" > {_n(r, 60)}',
    lambda r: f"INSERT INTO empty_one (body) SELECT repeat('y', 200) FROM generate_series(1, {_n(r, 2000)})",
    lambda r: f"UPDATE wide SET body = repeat('new', {_n(r, 5000)}) WHERE id = {_n(r, 20)}",
    lambda r: f"DELETE FROM wide WHERE id = {_n(r, 20)}",
    lambda r: f"UPDATE part SET k = k + 100 WHERE k = {_n(r)}",
    lambda r: f"DELETE FROM part WHERE k % {_n(r, 5)} = 0",
    lambda r: f"UPDATE base SET kind = 'k{_n(r, 9)}' WHERE id = {_n(r, 20)}",
    lambda r: f"DELETE FROM ONLY base WHERE id > {_n(r, 20)}",
    lambda r: f"INSERT INTO scratch (v) VALUES ('s{_n(r)}')",
    lambda r: f"DELETE FROM scratch WHERE id = {_n(r, 40)}",
    lambda r: f"UPDATE scratch SET v = 'changed' WHERE id = {_n(r, 40)}",
    lambda r: f"UPDATE deferred SET next = {_n(r, 25)} WHERE id = {_n(r, 20)}",
    lambda r: f"INSERT INTO deferred VALUES ({_n(r, 40)}, 1)",
    lambda r: f"DELETE FROM booking WHERE during @> {_n(r, 200)}",
    lambda r: f"INSERT INTO booking VALUES (2, int4range({_n(r, 300)}, 301))",
    lambda _: "DELETE FROM secret",
    lambda r: f"INSERT INTO secret VALUES ('c', 'c{_n(r)}')",
    lambda r: f"UPDATE big SET filler = 'changed' WHERE id = {_n(r, 4000)}",
    lambda r: f"DELETE FROM big WHERE id BETWEEN {_n(r, 4000)} AND {_n(r, 4000)}",
    lambda r: f"SELECT * FROM big WHERE id < {_n(r)} FOR UPDATE",
    lambda r: f"INSERT INTO no_rows_no_key SELECT 'v' FROM generate_series(1, {_n(r, 20000)})",
    lambda r: f"CALL batches({_n(r, 5)})",
    lambda _: (
        "MERGE INTO parent p USING (VALUES ('parent 1'), ('none')) v (n) ON p.name = v.n "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (name) VALUES (v.n)"
    ),
]
_SEQUENCES: list[Operation] = [
    lambda r: f"SELECT nextval('parent_id_seq') FROM generate_series(1, {_n(r, 60)})",
    lambda r: f"SELECT setval('child_id_seq', {_n(r, 99999)})",
    lambda _: "SELECT nextval('other.numbers')",
    lambda r: f"SELECT setval('empty_one_id_seq', {_n(r)}, false)",
    lambda _: "ALTER SEQUENCE other.numbers RESTART",
    lambda _: "SELECT nextval('scratch_id_seq')",
]
_LARGE_OBJECTS: list[Operation] = [
    lambda _: "SELECT lo_put(4242, 2, 'changed')",
    lambda _: "SELECT lo_unlink(4243)",
    lambda _: "SELECT lo_create(0)",
    lambda r: f"SELECT lo_from_bytea({_n(r)}, 'new')",
]
_FILES: list[Operation] = [
    lambda _: "TRUNCATE empty_one RESTART IDENTITY",
    lambda _: "TRUNCATE parent CASCADE",
    lambda _: "TRUNCATE wide, scratch",
    lambda _: "TRUNCATE part",
    lambda _: "TRUNCATE big",
    lambda _: "REINDEX TABLE child",
    lambda _: "VACUUM FULL parent",
    lambda _: "CLUSTER part_1 USING part_1_pkey",
    lambda _: "VACUUM parent",
    lambda _: "VACUUM",
    lambda _: "REFRESH MATERIALIZED VIEW totals",
    lambda _: "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
    lambda _: "CHECKPOINT",
]
_TEMPORARY: list[Operation] = [
    lambda r: f"CREATE TEMP TABLE t{_n(r, 5)} AS SELECT * FROM parent",
    lambda r: f"CREATE TEMP TABLE d{_n(r, 5)} (id serial, v text) ON COMMIT DROP",
    lambda _: "CREATE TEMP SEQUENCE s",
    lambda _: "CREATE TEMP VIEW w AS SELECT 1 AS one",
]
_SCHEMA: list[Operation] = [
    lambda r: f"CREATE TABLE new_{_n(r, 5)} (id serial PRIMARY KEY)",
    lambda r: f"ALTER TABLE parent ADD COLUMN c{_n(r, 5)} int DEFAULT 7",
    lambda _: "ALTER TABLE child DROP COLUMN tags",
    lambda _: "DROP TABLE audit CASCADE",
    lambda _: "CREATE INDEX ON parent (at)",
    lambda _: "ALTER TYPE state ADD VALUE IF NOT EXISTS 'new'",
    lambda _: "COMMENT ON TABLE parent IS 'changed'",
    lambda _: "GRANT SELECT ON parent TO app_user",
    lambda _: "ALTER TABLE child DISABLE TRIGGER note",
    lambda _: "ANALYZE parent",
    lambda _: "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    lambda _: "DROP EXTENSION pg_trgm",
    lambda _: "CREATE SCHEMA another",
    lambda _: "ALTER SEQUENCE parent_id_seq INCREMENT 5",
    lambda _: "ALTER TABLE parent SET UNLOGGED",
    lambda _: "VACUUM FULL pg_class",
    lambda _: "CREATE PUBLICATION pub FOR TABLE parent",
    lambda _: (
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()"
    ),
]
_SERVER: list[Operation] = [
    lambda r: f"CREATE ROLE r{_n(r, 5)} LOGIN PASSWORD 'x'",
    lambda _: "ALTER ROLE app_user CREATEDB VALID UNTIL '2030-01-01' PASSWORD 'other'",
    lambda _: "ALTER ROLE app_user SET statement_timeout = '1h'",
    lambda _: "ALTER ROLE app_user RESET ALL",
    lambda _: "ALTER ROLE app_group RENAME TO app_group_2",
    lambda _: "DROP ROLE app_group",
    lambda _: "REVOKE app_group FROM app_user",
    lambda _: "GRANT pg_monitor TO app_group",
    lambda _: "ALTER ROLE CURRENT_USER SET datestyle = 'German'",
    lambda r: f"CREATE DATABASE made_{_n(r, 3)}",
    lambda _: "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = nowhere', current_database()); END $$",
    lambda _: "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$",
    lambda _: "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database()); END $$",
    lambda _: "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM public', current_database()); END $$",
    lambda _: "GRANT CONNECT ON DATABASE postgres TO app_user",
    lambda _: "REVOKE CONNECT ON DATABASE postgres FROM public",
    lambda _: "GRANT CREATE ON TABLESPACE pg_default TO app_user",
    lambda r: f"CREATE DATABASE made_{_n(r, 3)} IS_TEMPLATE true",
    lambda _: "ALTER SYSTEM SET work_mem = '7MB'",
    lambda _: "SELECT pg_reload_conf()",
    lambda _: "SELECT pg_create_physical_replication_slot('slot')",
    lambda _: "GRANT SET ON PARAMETER work_mem TO app_user",
    lambda _: "COMMENT ON ROLE app_user IS 'commented'",
    lambda _: "CREATE ROLE owner; CREATE TABLE owned (a int); ALTER TABLE owned OWNER TO owner",
]
_KINDS = (_ROWS, _SEQUENCES, _LARGE_OBJECTS, _FILES, _TEMPORARY, _SCHEMA, _SERVER)
# Mostly rows, as tests do; the rest as often as it takes to be seen thousands of times in a large run.
_WEIGHTS = (60, 12, 1.5, 5, 5, 1.5, 3)
# Of a server: what it does to the schema, or to the server as a whole, is another matter.
SERVERS_WEIGHTS = (60, 12, 3, 8, 5, 0, 0)
_ENDINGS = ("COMMIT", "ROLLBACK", "PREPARE TRANSACTION 'left'", "")


def random_test(rng: random.Random, weights: tuple[float, ...] = _WEIGHTS) -> list[tuple[int, list[str]]]:
    """Return statements to run one after the other, each group on the connection of that number."""
    groups: list[tuple[int, list[str]]] = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        statements = [rng.choice(rng.choices(_KINDS, weights)[0])(rng) for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.4:
            ending = rng.choices(_ENDINGS, (6, 3, 0.3, 1))[0]
            middle = ["SAVEPOINT a", rng.choice(_ROWS)(rng), "ROLLBACK TO a"] if rng.random() < 0.3 else []
            statements = ["BEGIN", *statements, *middle, *([ending] if ending else [])]
        groups.append((rng.randrange(3), statements))
    return groups
