CREATE TABLE names (name text);
\copy names FROM 'tests/services/layers/names.csv'
INSERT INTO t105 SELECT count(*) FROM names;
