-- migrate:up
ALTER TABLE users ADD COLUMN active boolean NOT NULL DEFAULT true;

-- migrate:down
ALTER TABLE users DROP COLUMN active;
