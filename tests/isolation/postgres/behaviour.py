"""What PostgreSQL does with transactions, as a table: statements, and what the last of them answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that PostgreSQL does.

    Attributes:
        name: What it is.
        statements: Sent one after the other over one connection; a failure does not keep the next from being sent.
        answer: The last one's: rows, with each value as a text; or the SQLSTATE of an error.
    """

    name: str
    statements: tuple[str, ...]
    answer: object


def _row(name: str, answer: object, *statements: str) -> Behaviour:
    return Behaviour(name, statements, answer)


_TABLE = "CREATE TABLE t (a int PRIMARY KEY)"
_COUNT = "SELECT count(*) FROM t"
_TREE = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
)
_OUTBOX = (
    "CREATE TABLE t (a int); CREATE TABLE outbox (a int)",
    """CREATE FUNCTION publish() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO outbox VALUES (NEW.a); RETURN NULL; END'""",
    """CREATE CONSTRAINT TRIGGER publish AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION publish()""",
)
_TENANT = "SELECT coalesce(current_setting('app.tenant', true), 'none')"
_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"

BEHAVIOURS = (
    # Statements and transactions
    _row("failure takes nothing with it", [("1",)], _TABLE, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)", _COUNT),
    _row("failure after reading", [("2",)], "SELECT count(*) FROM pg_class", "SELECT * FROM missing", "SELECT 2"),
    _row("failure after reading, then a transaction", [("1",)], "SELECT 1", "SELECT missing", "BEGIN", _TABLE,
         "INSERT INTO t VALUES (1)", "COMMIT", _COUNT),
    _row("failures one after the other", [("2",)], "SELECT missing", "SELECT 1 / 0", "SELECT missing", "SELECT 2"),
    _row("text of several statements is one", [("0",)], _TABLE, "INSERT INTO t VALUES (1); SELECT 1 / 0", _COUNT),
    _row("commit", [("1",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT", _COUNT),
    _row("rollback", [("0",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK", _COUNT),
    _row("rollback of the first", [("0",)], "BEGIN", _TABLE, "ROLLBACK", "SELECT count(*) FROM pg_class WHERE relname = 't'"),
    _row("failed transaction does not begin anew", "25P02", "BEGIN", "SET statement_timeout = 'soon'", "NOTIFY a; NOTIFY b"),
    _row("failed transaction", "25P02", _TABLE, "BEGIN", "SELECT 1 / 0", _COUNT),
    _row("commit of a failed one", [("0",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1 / 0", "COMMIT", _COUNT),
    _row("savepoint", [("1",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "SAVEPOINT s", "SELECT 1 / 0",
         "ROLLBACK TO s", "COMMIT", _COUNT),
    _row("savepoint of an ended one", "3B001", "BEGIN", "SAVEPOINT s", "COMMIT", "BEGIN", "ROLLBACK TO s"),
    _row("savepoint without a transaction", "25P01", "SELECT 1", "SAVEPOINT s"),
    _row("begin in the middle takes what was before", [("0",)], _TABLE, "INSERT INTO t VALUES (1); BEGIN; SELECT 1 / 0",
         "ROLLBACK", _COUNT),
    _row("commit in the middle", [("1",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1); COMMIT; SELECT 1 / 0", _COUNT),
    _row("rollback in the middle", [("2",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1); ROLLBACK; INSERT INTO t VALUES (2)",
         "SELECT a FROM t"),
    _row("chain", [("1", "2")], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT AND CHAIN", "INSERT INTO t VALUES (2)",
         "SELECT min(a), max(a) FROM t"),
    _row("chain keeps read only", "25006", _TABLE, "BEGIN READ ONLY", "COMMIT AND CHAIN", "INSERT INTO t VALUES (1)"),
    _row("chain after a rollback", [("2",)], _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK AND CHAIN",
         "INSERT INTO t VALUES (2)", "COMMIT", "SELECT a FROM t"),
    _row("read only", "25006", _TABLE, "START TRANSACTION READ ONLY", "INSERT INTO t VALUES (1)"),
    _row("read only set later", "25006", _TABLE, "BEGIN", "INSERT INTO t VALUES (1)", "SET TRANSACTION READ ONLY",
         "INSERT INTO t VALUES (2)"),
    _row("read write again", "25001", _TABLE, "BEGIN READ ONLY", _COUNT, "SET TRANSACTION READ WRITE"),
    _row("read only by default", "25006", _TABLE, "SET default_transaction_read_only = on", "INSERT INTO t VALUES (1)"),
    _row("isolation level", [("serializable",)], "SELECT 1", "BEGIN ISOLATION LEVEL SERIALIZABLE",
         "SHOW transaction_isolation"),
    _row("isolation level set first", [("repeatable read",)], "SELECT 1", "BEGIN",
         "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SHOW transaction_isolation"),
    _row("isolation level set late", "25001", "BEGIN", "SELECT 1", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
    _row("isolation level set after settings", [("serializable", "5s")], "SELECT 1", "BEGIN", "SHOW work_mem",
         "SET statement_timeout = '5s'", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
         "SELECT current_setting('transaction_isolation'), current_setting('statement_timeout')"),
    _row("isolation level set after a savepoint", "25001", "BEGIN", "SAVEPOINT s",
         "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
    _row("modes of a second begin", [("serializable",)], "BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE",
         "SHOW transaction_isolation"),
    _row("chain of a failed one", [("off",)], "BEGIN READ ONLY", "SELECT 1 / 0", "ROLLBACK AND CHAIN",
         "SHOW transaction_read_only"),
    _row("isolation level by default", [("serializable",)],
         "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN", "SHOW transaction_isolation"),
    # Settings
    _row("set local ends", [("0",)], "BEGIN", "SET LOCAL statement_timeout = '5s'", "COMMIT", "SHOW statement_timeout"),
    _row("set local without a transaction", [("0",)], "SET LOCAL statement_timeout = '5s'", "SHOW statement_timeout"),
    _row("set local is undone", [("0",)], "BEGIN", "SAVEPOINT s", "SET LOCAL statement_timeout = '5s'", "ROLLBACK TO s",
         "SHOW statement_timeout"),
    _row("set stays", [("5s",)], "BEGIN", "SET statement_timeout = '5s'", "COMMIT", "SHOW statement_timeout"),
    _row("set is rolled back", [("0",)], "BEGIN", "SET statement_timeout = '5s'", "ROLLBACK", "SHOW statement_timeout"),
    _row("setting of the program's own", [("none",)], _TENANT),
    _row("setting of its own, local", [("",)], "BEGIN", "SELECT set_config('app.tenant', 'a', true)", "COMMIT", _TENANT),
    _row("setting of its own, session", [("a",)], "SELECT set_config('app.tenant', 'a', false)", _TENANT),
    _row("setting of its own, rolled back", [("",)], "BEGIN", "SET app.tenant = 'a'", "ROLLBACK", _TENANT),
    _row("role, local", [("t",)], "BEGIN", "SET LOCAL ROLE pg_monitor", "COMMIT", "SELECT current_user = session_user"),
    _row("setting by a function", [("",)],
         "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.tenant', 'a', true) $$",
         "BEGIN", "SELECT f()", "COMMIT", _TENANT),
    # Deferred
    _row("deferred trigger has its effect", [("1",)], *_OUTBOX, "INSERT INTO t VALUES (1)", "SELECT count(*) FROM outbox"),
    _row("deferred trigger fires once", [("1",)], *_OUTBOX, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT", "BEGIN", "COMMIT",
         "SELECT count(*) FROM outbox"),
    _row("deferred check, alone", "23503", *_TREE, "INSERT INTO child VALUES (1)"),
    _row("deferred check, at commit", "23503", *_TREE, "BEGIN", "INSERT INTO child VALUES (1)", "COMMIT"),
    _row("deferred check takes nothing else", [("1", "0")], *_TREE, "INSERT INTO parent VALUES (5)", "BEGIN",
         "INSERT INTO child VALUES (1)", "COMMIT", "SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)"),
    _row("deferred check passes", [("1",)], *_TREE, "BEGIN", "INSERT INTO child VALUES (1)", "INSERT INTO parent VALUES (1)",
         "COMMIT", "SELECT count(*) FROM child"),
    _row("set constraints", "23503", *_TREE, "BEGIN", "SET CONSTRAINTS ALL IMMEDIATE", "INSERT INTO child VALUES (1)"),
    _row("set constraints ends", [("1",)], *_TREE, "BEGIN", "SET CONSTRAINTS ALL IMMEDIATE", "COMMIT", "BEGIN",
         "INSERT INTO child VALUES (1)", "SELECT count(*) FROM child"),
    # What ends at COMMIT
    _row("temporary table, drop", [("0",)], "BEGIN", "CREATE TEMP TABLE s (a int) ON COMMIT DROP", "COMMIT",
         "SELECT count(*) FROM pg_class WHERE relname = 's'"),
    _row("temporary table, delete rows", [("0",)], "CREATE TEMP TABLE s (a int) ON COMMIT DELETE ROWS",
         "INSERT INTO s VALUES (1)", "SELECT count(*) FROM s"),
    _row("cursor", "34000", "BEGIN", "DECLARE c CURSOR FOR SELECT 1", "COMMIT", "FETCH ALL FROM c"),
    _row("cursor without a transaction", "25P01", "DECLARE c CURSOR FOR SELECT 1"),
    _row("cursor with hold", [("1",)], "BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "COMMIT", "FETCH ALL FROM c"),
    _row("advisory lock of the transaction", [("0",)], "BEGIN", "SELECT pg_advisory_xact_lock(7)", "COMMIT", _LOCKS),
    _row("advisory lock, rolled back", [("0",)], "BEGIN", "SAVEPOINT s", "SELECT pg_advisory_xact_lock(7)", "ROLLBACK TO s",
         _LOCKS),
    _row("advisory lock of the session", [("1",)], "BEGIN", "SELECT pg_advisory_lock(7)", "ROLLBACK", _LOCKS),
    _row("lock table", "25P01", _TABLE, "LOCK TABLE t"),
    # What wants no transaction
    _row("vacuum", "", _TABLE, "VACUUM t"),
    _row("vacuum in a transaction", "25001", _TABLE, "BEGIN", "VACUUM t"),
    _row("index concurrently", "", _TABLE, "CREATE INDEX CONCURRENTLY ON t (a)"),
    _row("enum value", [("b",)], "CREATE TYPE e AS ENUM ('a')", "ALTER TYPE e ADD VALUE 'b'", "SELECT 'b'::e"),
    _row("enum value in a transaction", "55P04", "CREATE TYPE e AS ENUM ('a')", "BEGIN", "ALTER TYPE e ADD VALUE 'b'",
         "SELECT 'b'::e"),
    _row("procedure that commits", [("1",)], _TABLE,
         "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM 1 / 0; END $$",
         "CALL p()", _COUNT),
    _row("procedure in a transaction", "2D000",
         "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$", "BEGIN", "CALL p()"),
    _row("block that commits", [("1",)], _TABLE, "DO $$ BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM 1 / 0; END $$", _COUNT),
    _row("two-phase commit, disabled", "55000", "BEGIN", "PREPARE TRANSACTION 'x'"),
    _row("discard", [("0",)], "SET statement_timeout = '5s'", "DISCARD ALL", "SHOW statement_timeout"),
    # Time
    _row("time goes on", [("t",)], "CREATE TABLE seen AS SELECT now() AS at", "SELECT pg_sleep(0.002)",
         "SELECT now() > at FROM seen"),
    _row("time of defaults goes on", [("2",)], "CREATE TABLE s (a int, at timestamptz DEFAULT now())",
         "INSERT INTO s VALUES (1)", "SELECT pg_sleep(0.002)", "INSERT INTO s VALUES (2)", "SELECT count(DISTINCT at) FROM s"),
    _row("time stands still in a transaction", [("t",)], "CREATE TABLE seen (at timestamptz)", "BEGIN",
         "INSERT INTO seen VALUES (now())", "SELECT pg_sleep(0.002)", "SELECT now() = at FROM seen"),
    # Plans and names
    _row("plan of another table", [("1", "2")], "CREATE TABLE s (a int)", "INSERT INTO s VALUES (1)", "SELECT * FROM s",
         "ALTER TABLE s ADD b int DEFAULT 2", "SELECT * FROM s"),
    _row("plan of another table, in a transaction", "0A000", "CREATE TABLE s (a int)", "SELECT * FROM s", "BEGIN",
         "ALTER TABLE s ADD b int", "SELECT * FROM s"),
    _row("search path", [("1",)], "CREATE SCHEMA x; CREATE TABLE x.t (a int); INSERT INTO x.t VALUES (1)",
         "SET search_path = x", "SELECT a FROM t"),
)  # fmt: skip
