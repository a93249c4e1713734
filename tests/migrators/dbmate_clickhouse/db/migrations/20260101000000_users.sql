-- migrate:up
CREATE TABLE users (name String) ENGINE = MergeTree ORDER BY name;

-- migrate:down
DROP TABLE users;
