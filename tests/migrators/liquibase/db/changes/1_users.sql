--liquibase formatted sql

--changeset shop:users
CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL);
--rollback DROP TABLE users;
