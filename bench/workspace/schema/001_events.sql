-- A schema of ordinary size for ClickHouse: what an application counts, and when.
CREATE TABLE page_view (
    at DateTime64(3) DEFAULT now64(3),
    visitor UUID,
    path LowCardinality(String),
    duration_ms UInt32
) ENGINE = MergeTree ORDER BY (path, at);

CREATE TABLE purchase (
    at DateTime64(3) DEFAULT now64(3),
    customer UInt64,
    sku LowCardinality(String),
    price_cents UInt32
) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY (sku, at);

CREATE TABLE session (
    started_at DateTime64(3),
    visitor UUID,
    pages UInt32
) ENGINE = ReplacingMergeTree ORDER BY (visitor, started_at);

CREATE TABLE error (
    at DateTime64(3) DEFAULT now64(3),
    service LowCardinality(String),
    message String
) ENGINE = MergeTree ORDER BY (service, at);

CREATE TABLE revenue_by_day (
    day Date,
    sku LowCardinality(String),
    cents UInt64
) ENGINE = SummingMergeTree ORDER BY (day, sku);
