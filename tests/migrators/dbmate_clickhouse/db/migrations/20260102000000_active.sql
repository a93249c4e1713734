-- migrate:up
ALTER TABLE users ADD COLUMN active Bool DEFAULT true;

-- migrate:down
ALTER TABLE users DROP COLUMN active;
