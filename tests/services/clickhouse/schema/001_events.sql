-- What programs write.
CREATE TABLE users (id UInt64, name String) ENGINE = MergeTree ORDER BY id;
CREATE TABLE events (
    ts DateTime64(3),
    kind LowCardinality(String) DEFAULT 'it''s; a "kind"', -- a semicolon in a text
    user_id UInt64
) ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (kind, ts);
CREATE TABLE countries (code String, name String) ENGINE = MergeTree ORDER BY code;
CREATE TABLE notes (line String) ENGINE = TinyLog;
