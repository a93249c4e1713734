-- A table of each kind that is restored in place.
CREATE TABLE events (id UInt32, what String) ENGINE = MergeTree PARTITION BY id % 2 ORDER BY id;
CREATE TABLE latest (id UInt32, version UInt32, what String) ENGINE = ReplacingMergeTree(version) ORDER BY id;
CREATE TABLE totals (id UInt32, total UInt64) ENGINE = SummingMergeTree ORDER BY id;
CREATE TABLE remembered (id UInt32, what String) ENGINE = Memory;
CREATE TABLE noted (id UInt32, what String) ENGINE = Log;
CREATE TABLE tiny (id UInt32) ENGINE = TinyLog;
CREATE TABLE striped (id UInt32) ENGINE = StripeLog;
CREATE TABLE pairs (id UInt32, what String) ENGINE = Join(ANY, LEFT, id);
CREATE TABLE chosen (id UInt32) ENGINE = Set;
CREATE TABLE counted (what String, n UInt64) ENGINE = SummingMergeTree ORDER BY what;
CREATE MATERIALIZED VIEW counting TO counted AS SELECT what, count() AS n FROM events GROUP BY what;
CREATE MATERIALIZED VIEW kept ENGINE = MergeTree ORDER BY id AS SELECT id FROM events;
CREATE VIEW shown AS SELECT what FROM events;
