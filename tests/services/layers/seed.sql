CREATE TABLE names (name text);
\copy names FROM 'tests/services/layers/names.csv'
INSERT INTO t255 SELECT count(*) FROM names;
