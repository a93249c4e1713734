CREATE TABLE per_day (day Date, kind LowCardinality(String), n AggregateFunction(count))
ENGINE = AggregatingMergeTree ORDER BY (day, kind);
CREATE MATERIALIZED VIEW events_per_day TO per_day AS
SELECT toDate(ts) AS day, kind, countState() AS n FROM events GROUP BY day, kind;
CREATE MATERIALIZED VIEW kinds ENGINE = ReplacingMergeTree ORDER BY kind AS SELECT kind FROM events;
CREATE VIEW active_users AS
SELECT u.id AS id, u.name AS name, count() AS n FROM users AS u JOIN events AS e ON e.user_id = u.id GROUP BY id, name;
CREATE DICTIONARY country_names (code String, name String) PRIMARY KEY code
SOURCE(CLICKHOUSE(TABLE 'countries')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0);
