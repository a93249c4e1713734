-- What users did. An event that arrives twice is two rows until the parts they are in are merged: read with FINAL.
CREATE TABLE IF NOT EXISTS events (
    id        String,
    event     LowCardinality(String),
    user_id   UInt64,
    timestamp DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree ORDER BY (event, user_id, timestamp, id)
