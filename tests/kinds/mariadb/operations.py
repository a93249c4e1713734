"""What random tests do with a MariaDB connection: statements of all kinds, and what drivers can do beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CONTROL = (
    "api commit", "api commit", "api rollback", "api begin", "api autocommit_on", "api autocommit_off", "BEGIN", "COMMIT",
    "START TRANSACTION", "ROLLBACK WORK", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b",
    "RELEASE SAVEPOINT a", "SET autocommit = 1", "SET @@session.autocommit = OFF", "SET @@autocommit = 1", "COMMIT AND CHAIN",
    "START TRANSACTION READ ONLY", "SET SESSION autocommit = 0", "ROLLBACK TO missing", "/*!50000 COMMIT */", "SET autocommit = DEFAULT",
)  # fmt: skip
WRITES = (
    "INSERT INTO customers (name) VALUES ('x{n}')", "INSERT INTO customers (name) VALUES ('x{n}'), ('y')",
    "INSERT INTO customers (id, name) VALUES ({n}, 'z')", "INSERT IGNORE INTO customers (id, name) VALUES ({n}, 'z')",
    "INSERT INTO customers (name, email) VALUES ('x', 'ada@example.com')", "UPDATE customers SET name = 'u' WHERE id > {n}",
    "REPLACE INTO customers (id, name) VALUES ({n}, 'r')", "DELETE FROM customers WHERE id = {n}", "CALL add_customer('c{n}')",
    "INSERT INTO customers (id, name) VALUES ({n}, 'd') ON DUPLICATE KEY UPDATE name = 'dup'", "DELETE FROM customers",
    "INSERT INTO customers (name) VALUES ('x{n}') RETURNING id, name", "SELECT id, name FROM customers ORDER BY id",
    "SELECT what FROM log ORDER BY id", "INSERT INTO orders (customer, total) VALUES ({n}, 1)", "SELECT * FROM missing",
    "INSERT INTO orders (customer, total) VALUES ({n}, -1)", "SELECT COUNT(*) FROM orders", "SELECT 1 / 0", "NONSENSE",
    "BEGIN NOT ATOMIC INSERT INTO log (what) VALUES ('b{n}'); SIGNAL SQLSTATE '45000'; END", "INSERT INTO old VALUES ({n}, 'o')",
    "SELECT id FROM old ORDER BY id", "SELECT NEXTVAL(numbers)", "INSERT INTO customers (name) SELECT name FROM customers",
    "INSERT INTO log (what) VALUES ('m{n}'); INSERT INTO log (what) VALUES ('n{n}')", "SELECT id FROM customers WHERE id = {n} FOR UPDATE",
    "api prepared", "api many", "api streamed", "TRUNCATE log", "CREATE TABLE made (id INT)", "CALL add_and_commit('d{n}')",
    "INSERT INTO `odd ``name` (`a.b`) VALUES ({n})", "SELECT `a.b` FROM `odd ``name` ORDER BY 1", "LOCK TABLES customers WRITE",
)  # fmt: skip
TOLD = (
    "SELECT @@autocommit", "SELECT @@in_transaction", "api counted", "SELECT LAST_INSERT_ID()",
    "SHOW WARNINGS", "SELECT @@warning_count", "SELECT @@error_count", "SELECT @@session.last_insert_id",
    "SELECT @first", "SELECT @@tx_isolation", "SELECT @@tx_read_only", "SHOW VARIABLES LIKE 'autocommit'", "SELECT '@@autocommit'",
    "SELECT @@SESSION.autocommit, @@global.autocommit", "SELECT @@identity",
)  # fmt: skip
SESSION = (
    "CREATE TEMPORARY TABLE mine (id INT)", "CREATE TEMPORARY TABLE mine (id INT) ENGINE = MyISAM", "INSERT INTO mine VALUES ({n})",
    "SELECT id FROM mine ORDER BY id", "TRUNCATE mine", "DROP TEMPORARY TABLE mine", "DROP TABLE mine", "ALTER TABLE mine ADD b INT",
    "CREATE TEMPORARY TABLE customers (id INT)", "SET @x = {n}", "SELECT @x", "SET sql_mode = 'ANSI'", "SELECT @@sql_mode",
    "SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE", "SET TRANSACTION READ ONLY", "SET tx_read_only = 1",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SELECT GET_LOCK('l', 0)",
    "SELECT IS_USED_LOCK('l') = CONNECTION_ID()", "SELECT RELEASE_LOCK('l')", "PREPARE p FROM 'INSERT INTO log (what) VALUES (?)'",
    "SET @w = 'w{n}'", "EXECUTE p USING @w", "DEALLOCATE PREPARE p", "PREPARE c FROM 'COMMIT'", "EXECUTE c", "SELECT DATABASE() = 'x'",
    "SELECT COUNT(*) FROM log", "SET foreign_key_checks = 0", "SET unique_checks = 0", "SET NAMES utf8mb4", "SELECT @@character_set_client",
    "SET insert_id = 20", "SET auto_increment_increment = 5", "SET sql_auto_is_null = 1", "SET completion_type = 1", "SET completion_type = 0",
    "HANDLER customers OPEN", "HANDLER customers READ FIRST", "HANDLER customers CLOSE", "FLUSH TABLES", "UNLOCK TABLES", "SET ROLE NONE",
    "api ping", "EXECUTE IMMEDIATE 'INSERT INTO log (what) VALUES (7)'", "SET STATEMENT max_statement_time = 9 FOR SELECT 1",
)  # fmt: skip
# What stays in a server, or in a database, when a test ends.
LEFT = (
    "CREATE DATABASE mine{n}", "DROP DATABASE IF EXISTS mine{n}", "CREATE TABLE mine{n}.t (x INT)", "CREATE USER u{n} IDENTIFIED BY 'x'",
    "GRANT ALL ON *.* TO u{n}", "DROP USER reader", "RENAME USER reader TO other{n}", "CREATE ROLE r{n}", "GRANT r{n} TO reader",
    "GRANT SELECT (id) ON test.customers TO reader", "REVOKE SELECT ON test.* FROM reader", "SET PASSWORD FOR reader = PASSWORD('o')",
    "SET GLOBAL sql_mode = 'ANSI'", "SET GLOBAL max_connections = 5{n}", "SET GLOBAL event_scheduler = ON", "SET GLOBAL read_only = 1",
    "SET GLOBAL tx_isolation = 'SERIALIZABLE'", "SET GLOBAL innodb_lock_wait_timeout = {n}", "SET GLOBAL time_zone = '+03:00'",
    "SET GLOBAL general_log = ON", "SET GLOBAL slow_query_log = ON", "SET GLOBAL character_set_server = latin1", "SET GLOBAL init_connect = 'SET @i = 1'",
    "SET GLOBAL sql_mode = ''", "SET GLOBAL max_allowed_packet = 2097152", "SET GLOBAL foreign_key_checks = 0", "SET GLOBAL autocommit = 0",
    "SET GLOBAL long_query_time = 0.5", "SET GLOBAL key_buffer_size = 1048576", "SET GLOBAL hot{n}.key_buffer_size = 1048576",
    "SET GLOBAL default_storage_engine = Aria", "SET GLOBAL local_infile = OFF", "SET GLOBAL lower_case_table_names = 1",
    "CREATE SERVER s{n} FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')", "DROP SERVER IF EXISTS s{n}", "INSTALL SONAME 'nothing'",
    "INSERT INTO mysql.time_zone_name VALUES ('Mine/{n}', {n})", "INSERT INTO customers (name) VALUES ('x')", "INSERT INTO old VALUES (2, 'o')",
    "INSERT INTO aria VALUES ({n})", "CREATE TABLE t{n} (id INT)", "DROP TABLE parts", "ALTER TABLE log ADD c INT", "CREATE VIEW v{n} AS SELECT 1",
    "CREATE PROCEDURE p{n}() SELECT 1", "DROP FUNCTION shout", "CREATE EVENT e{n} ON SCHEDULE EVERY 1 SECOND DO SET @a = 1", "DROP EVENT tidy",
    "CREATE TRIGGER t{n} BEFORE DELETE ON log FOR EACH ROW SET @a = 1", "ALTER DATABASE CHARACTER SET latin1", "OPTIMIZE TABLE customers",
    "SELECT NEXTVAL(numbers)", "SELECT SETVAL(numbers, 500)", "ALTER SEQUENCE numbers RESTART 900", "ALTER TABLE zero AUTO_INCREMENT = 90",
    "SELECT GET_LOCK('l{n}', 0)", "LOCK TABLES customers WRITE", "FLUSH TABLES WITH READ LOCK", "BACKUP STAGE START", "HANDLER customers OPEN",
    "XA START 'x{n}'; INSERT INTO log (what) VALUES ('x'); XA END 'x{n}'; XA PREPARE 'x{n}'", "XA START 'x{n}'",
    "CREATE TABLE mine{n}.t (x INT) ENGINE = MyISAM; LOCK TABLES mine{n}.t WRITE", "CREATE DATABASE `mine-{n}.x`",
    "SET GLOBAL binlog_format = 'ROW'", "SET GLOBAL sync_binlog = 7", "SET GLOBAL gtid_domain_id = 7", "SET GLOBAL server_id = 9",
    "CREATE USER `u'{n}`@`%x` REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 9", "GRANT SELECT ON mine{n}.* TO reader WITH GRANT OPTION",
    "SET GLOBAL optimizer_switch = 'index_merge=off'", "SET GLOBAL innodb_buffer_pool_size = 16777216", "SET GLOBAL table_open_cache = 99",
    "USE test", "INSERT INTO test.log (what) VALUES ('x')", "KILL QUERY 99999", "SET GLOBAL require_secure_transport = OFF", "XA END 'x{n}'", "XA PREPARE 'x{n}'", "BEGIN", "COMMIT", "USE mysql", "CREATE FUNCTION mine{n}.f() RETURNS INT RETURN 1",
    "SELECT 1 INTO OUTFILE 'mine{n}.txt'", "SELECT 1 INTO OUTFILE '/tmp/realservices-mine{n}.txt'", "ANALYZE TABLE customers PERSISTENT FOR ALL",
    "FLUSH PRIVILEGES", "FLUSH STATUS", "FLUSH LOGS", "SET GLOBAL innodb_stats_persistent = OFF", "GRANT EXECUTE ON PROCEDURE test.quoted TO reader",
    "CREATE OR REPLACE USER reader IDENTIFIED VIA unix_socket", "ALTER USER reader ACCOUNT LOCK", "SET DEFAULT ROLE NONE FOR reader",
    "GRANT PROXY ON reader TO reader", "TRUNCATE orders", "api kill", "api close", "api reopen", "RENAME TABLE log TO log{n}", "SET GLOBAL wait_timeout = 9",
    "CREATE TABLE test.t{n} (id INT)", "DROP TABLE IF EXISTS test.t{n}", "DO SLEEP(0)", "DELETE FROM mysql.proc WHERE name = 'nothing'",
)  # fmt: skip


async def _prepared(connection: Any) -> object:
    statement = await connection.prepare("INSERT INTO log (what) VALUES (?)")
    await statement.execute(("p",))
    await statement.close()
    return connection.insert_id()


async def _many(connection: Any) -> object:
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO log (what) VALUES (%s)", [("m",), ("n",)])
        return cursor.rowcount, cursor.lastrowid


async def _streamed(connection: Any) -> object:
    from asyncmy.cursors import SSCursor  # noqa: PLC0415 - beside its only use

    async with connection.cursor(SSCursor) as cursor:
        await cursor.execute("SELECT id FROM customers ORDER BY id")
        first = await cursor.fetchone()
        return first, await cursor.fetchall()


async def _counted(connection: Any) -> object:
    async with connection.cursor() as cursor:
        await cursor.execute("INSERT INTO log (what) VALUES ('c'), ('d')")
        await cursor.execute("SELECT ROW_COUNT(), LAST_INSERT_ID()")
        return await cursor.fetchall()


async def _kill(connection: Any) -> object:
    return await connection.query(f"KILL {connection.thread_id()}")


async def _reopen(connection: Any) -> object:
    await connection.ensure_closed()
    return await connection.ping()


async def _charset(connection: Any) -> object:
    return await connection.set_charset("utf8mb4")


CALLS: dict[str, Callable[[Any], Awaitable[object]]] = {
    "commit": lambda connection: connection.commit(),
    "rollback": lambda connection: connection.rollback(),
    "begin": lambda connection: connection.begin(),
    "autocommit_on": lambda connection: connection.autocommit(True),
    "autocommit_off": lambda connection: connection.autocommit(False),
    "prepared": _prepared,
    "many": _many,
    "streamed": _streamed,
    "ping": lambda connection: connection.ping(),
    "charset": _charset,
    "counted": _counted,
    "kill": _kill,
    "close": lambda connection: connection.ensure_closed(),
    "reopen": _reopen,
}
