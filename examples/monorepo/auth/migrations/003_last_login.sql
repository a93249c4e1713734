-- Lets dormant accounts be found. NULL: has not logged in since this column exists.
ALTER TABLE users ADD COLUMN last_login_at timestamptz;

CREATE INDEX users_dormant ON users (last_login_at NULLS FIRST);
