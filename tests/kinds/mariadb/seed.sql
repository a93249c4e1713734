INSERT INTO customers (name, email) VALUES ('Ada', 'ada@example.com'), ('Böb 😀', NULL), ('Eve \\ "x"', 'eve@example.com');
DELETE FROM customers WHERE name LIKE 'Eve%';
INSERT INTO orders (customer, total, note, place) VALUES (1, 10.5, 'first note', POINT(1, 2)), (2, 3, NULL, NULL);
INSERT INTO parts VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO old VALUES (1, 'one');
INSERT INTO `odd ``name` VALUES (1, X'00ff27'), (NULL, '');
SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO');
INSERT INTO zero VALUES (0), (7);
