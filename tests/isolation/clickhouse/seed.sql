INSERT INTO events VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO latest VALUES (1, 1, 'old'), (1, 2, 'new');
INSERT INTO noted VALUES (1, 'l');
INSERT INTO tiny VALUES (7);
INSERT INTO striped VALUES (8), (9);
INSERT INTO pairs VALUES (1, 'p');
