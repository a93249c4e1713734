-- A schema with something of everything that a test can write to, and rows to start from.
CREATE EXTENSION pg_trgm;
CREATE TYPE state AS ENUM ('open', 'closed');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE SCHEMA other;
CREATE ROLE app_user LOGIN PASSWORD 'known';
CREATE ROLE app_group;
GRANT app_group TO app_user;
ALTER ROLE app_user SET work_mem = '5MB';

CREATE TABLE parent (id serial PRIMARY KEY, name text UNIQUE, at timestamptz DEFAULT now());
CREATE TABLE child (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent int REFERENCES parent ON DELETE CASCADE,
    amount numeric(12, 2), doubled numeric GENERATED ALWAYS AS (amount * 2) STORED,
    state state DEFAULT 'open', tags text[], meta jsonb, raw bytea, p pair, d positive, f float8, day date
);
CREATE INDEX ON child (state); CREATE INDEX ON child USING gin (meta); CREATE INDEX ON child (lower(tags[1])) WHERE d > 3;
ALTER TABLE child DROP COLUMN day;
CREATE TABLE other."Odd, name" ("select" int PRIMARY KEY, "a,b" text, "c""d" int);
CREATE TABLE empty_one (id bigserial PRIMARY KEY, body text);
CREATE TABLE wide (id int PRIMARY KEY, body text); ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
CREATE TABLE part (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_2 PARTITION OF part DEFAULT;
CREATE TABLE base (id int, kind text); CREATE TABLE derived (extra text) INHERITS (base);
CREATE UNLOGGED TABLE scratch (id serial, v text);
CREATE TABLE deferred (id int PRIMARY KEY, next int REFERENCES deferred DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE audit (id serial, what text, who text DEFAULT current_user);
CREATE TABLE booking (room int, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE secret (tenant text, body text);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (tenant = current_setting('app.tenant', true));
CREATE TABLE big (id int PRIMARY KEY, filler text);
CREATE TABLE no_rows_no_key (v text);
CREATE SEQUENCE other.numbers START 100 CACHE 10;
CREATE VIEW open_children AS SELECT * FROM child WHERE state = 'open';
CREATE MATERIALIZED VIEW totals AS SELECT parent, sum(amount) AS total FROM child GROUP BY parent;
CREATE UNIQUE INDEX ON totals (parent);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
CREATE PROCEDURE batches(n int) LANGUAGE plpgsql AS $$
BEGIN FOR i IN 1..n LOOP INSERT INTO empty_one (body) VALUES ('batch ' || i); COMMIT; END LOOP; END $$;
COMMENT ON TABLE parent IS 'those above';

INSERT INTO parent (name) SELECT 'parent ' || g FROM generate_series(1, 200) g;
INSERT INTO child (parent, amount, tags, meta, raw, p, d, f)
    SELECT g % 200 + 1, g, ARRAY['a', g::text], jsonb_build_object('g', g, 't', 'ä"'',\'), decode(md5(g::text), 'hex'),
        ROW(g, 'it''s (' || g || ')')::pair, g, g / 3.0 FROM generate_series(1, 1500) g;
INSERT INTO other."Odd, name" SELECT g, 'x, "y" ' || g, g FROM generate_series(1, 50) g;
INSERT INTO wide SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 20) g;
INSERT INTO part SELECT g, 'v' FROM generate_series(1, 200) g;
INSERT INTO base SELECT g, 'base' FROM generate_series(1, 10) g; INSERT INTO derived SELECT g, 'derived', 'x' FROM generate_series(11, 20) g;
INSERT INTO scratch (v) SELECT 'v' || g FROM generate_series(1, 30) g;
INSERT INTO deferred SELECT g, CASE WHEN g < 20 THEN g + 1 END FROM generate_series(1, 20) g;
INSERT INTO booking SELECT 1, int4range(g * 10, g * 10 + 5) FROM generate_series(1, 20) g;
INSERT INTO secret VALUES ('a', 'of a'), ('b', 'of b');
INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, 4000) g;
DELETE FROM parent WHERE id % 17 = 0;
UPDATE child SET amount = amount + 1 WHERE id % 13 = 0;
SELECT lo_from_bytea(4242, 'first'), lo_from_bytea(4243, repeat('x', 5000)::bytea), nextval('other.numbers');
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.region = ''north''', current_database()); END $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, other', current_database()); END $$;
REFRESH MATERIALIZED VIEW totals;
