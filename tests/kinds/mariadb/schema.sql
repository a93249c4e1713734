-- Everything that a copy has to have, in the order in which it depends on each other; views the other way round.
CREATE TABLE customers (
    id INT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(50) NOT NULL COMMENT 'it''s `test`.`x`( and nextval(`test`.`s`)',
    email VARCHAR(100) UNIQUE,
    shouted VARCHAR(50) AS (UPPER(name)) STORED,
    hidden INT INVISIBLE DEFAULT 3,
    created TIMESTAMP DEFAULT '2026-01-01 00:00:00'
) COMMENT 'people';
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 10 NOCACHE;
CREATE TABLE orders (
    id BIGINT DEFAULT NEXTVAL(numbers) PRIMARY KEY,
    customer INT NOT NULL,
    total DECIMAL(10, 2) CHECK (total >= 0),
    note TEXT CHARACTER SET latin1,
    place POINT,
    FULLTEXT (note),
    CONSTRAINT belongs FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE
);
CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
CREATE TABLE parts (id INT, kind INT, PRIMARY KEY (id, kind)) PARTITION BY HASH (kind) PARTITIONS 3;
CREATE TABLE old (id INT, what VARCHAR(10)) ENGINE = MyISAM;
CREATE TABLE aria (id INT) ENGINE = Aria;
CREATE TABLE `odd ``name` (`a.b` INT, `select` BLOB);
CREATE TABLE zero (id INT AUTO_INCREMENT PRIMARY KEY);

DELIMITER //
CREATE FUNCTION shout(t TEXT) RETURNS TEXT DETERMINISTIC
BEGIN
    RETURN CONCAT(UPPER(t), '!');
END//
CREATE TRIGGER noted AFTER INSERT ON customers FOR EACH ROW
BEGIN
    INSERT INTO log (what) VALUES (NEW.name);
END//
CREATE TRIGGER second AFTER INSERT ON customers FOR EACH ROW FOLLOWS noted SET @second = NEW.id//
CREATE TRIGGER first AFTER INSERT ON customers FOR EACH ROW PRECEDES noted SET @first = NEW.id//
CREATE PROCEDURE add_customer(IN n VARCHAR(50)) BEGIN INSERT INTO customers (name) VALUES (n); END//
CREATE PROCEDURE add_and_commit(IN n VARCHAR(50)) BEGIN INSERT INTO customers (name) VALUES (n); COMMIT; END//
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM log; END//
SET sql_mode = 'ANSI_QUOTES'//
CREATE PROCEDURE quoted() SELECT "name" FROM "customers"//
SET sql_mode = DEFAULT//
DELIMITER ;

CREATE VIEW z_named AS SELECT id, shout(name) AS loud FROM customers;
CREATE VIEW a_first AS SELECT loud FROM z_named WHERE id = 1;
CREATE USER reader IDENTIFIED BY 'secret';
GRANT SELECT ON test.* TO reader;
GRANT UPDATE (note) ON test.orders TO reader;
GRANT EXECUTE ON FUNCTION test.shout TO reader
