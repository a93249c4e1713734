"""What a text needs is told by its words, and in doubt it needs more."""

from __future__ import annotations

import json
import time

import pytest

from realservices.kinds.postgres.isolation.needs import needs_of
from realservices.kinds.postgres.isolation.traits import Traits, traits_of

_HANGS = [
    "SET LOCAL work_mem = '1MB'",
    "SELECT set_config('app.tenant', $1, true)",
    "SELECT set_config('app.tenant', $1, $2)",
    "SELECT set_config($1, $2, false)",
    "SELECT set_config('default_transaction_isolation', 'serializable', false)",
    "SET CONSTRAINTS ALL DEFERRED",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "set default_transaction_isolation to serializable",
    "SET idle_in_transaction_session_timeout = 5",
    "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
    "declare c cursor for select 1",
    "SELECT pg_try_advisory_xact_lock(1)",
    "NOTIFY news",
    "SELECT pg_notify('news', '')",
    'LISTEN "news"',
    "UNLISTEN *",
    "/* all */ VACUUM",
    "CREATE INDEX CONCURRENTLY ON t (a)",
    "ALTER TYPE s.state ADD VALUE 'new'",
    "CALL work()",
    "DO $$ BEGIN END $$",
    "CREATE DATABASE d",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "DROP SUBSCRIPTION s",
    "SELECT txid_current()",
    "SELECT xmin FROM t",
    'SELECT "xmin" FROM t',
    "SELECT count(*) FROM pg_locks",
    "SELECT setval('s', 1)",
    "SELECT * FROM dblink('', '') AS t (a int)",
    "LOCK TABLE t",
    "DISCARD ALL",
    "ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE INITIALLY DEFERRED",
    "PREPARE p AS SELECT pg_notify('news', '')",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_notify(''news'', '''')'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL work_mem = '1MB'; END $$",
    "SELECT 1; SELECT pg_notify('news', '')",
]
_DOES_NOT_HANG = [
    "SELECT 1",
    "INSERT INTO notification VALUES ('NOTIFY', 'CALL me', '-- xmin')",
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "SELECT 1 -- VACUUM",
    "SELECT set_config('work_mem', '1MB', false)",
    "SELECT set_config('app.tenant', coalesce($1, 'none'), false)",
    "SET work_mem = '1MB'",
    "CREATE TABLE t (a int)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT pg_advisory_lock(1)",
    "DELETE FROM t WHERE local = 'x' AND call = 1",
]


@pytest.mark.parametrize("sql", _HANGS)
def test_what_hangs_on_a_commit_is_found(sql: str) -> None:
    assert needs_of(sql).hangs


@pytest.mark.parametrize("sql", _DOES_NOT_HANG)
def test_other_texts_do_not_hang(sql: str) -> None:
    assert not needs_of(sql).hangs


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT now()", True),
        ("SELECT 'now'::timestamptz", True),
        ("INSERT INTO t VALUES (CURRENT_TIMESTAMP)", True),
        ("CREATE FUNCTION f() RETURNS date LANGUAGE sql AS 'SELECT current_date'", True),
        ("EXECUTE prepared", True),
        ("SELECT age(born) FROM people", True),
        ('SELECT "now"()', True),
        ('SELECT "now" FROM people', False),
        ("SELECT age, now FROM people", False),
        ("SELECT clock_timestamp()", False),
        ("SELECT 'right now'", False),
    ],
)
def test_use_of_the_time_is_found(sql: str, expected: bool) -> None:
    assert needs_of(sql).reads_clock is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET app.tenant = 'a'", True),
        ("SET LOCAL app.tenant = 'a'", True),
        ("SET SESSION \"app\".tenant TO 'a'", True),
        ("SELECT set_config('app.tenant', 'a', false)", True),
        ("SELECT set_config($1, 'a', false)", True),
        ("DO $$ BEGIN PERFORM set_config('app.tenant', 'a', false); END $$", True),
        ("SELECT set_config('work_mem', '1MB', false)", False),
        ("SET work_mem = '1MB'", False),
        ("UPDATE t SET a = b.c FROM b", False),
        ("SELECT dblink_connect('a', 'dbname=b')", True),
        ("SELECT pg_replication_origin_session_setup('a')", True),
    ],
)
def test_what_outlasts_a_reset_is_found(sql: str, expected: bool) -> None:
    assert needs_of(sql).outlasts_reset is expected


@pytest.mark.parametrize(
    ("sql", "expected"), [("SHOW work_mem", True), ("SET a = 1; RESET a", True), ("SELECT 1", False)]
)
def test_prelude_is_found(sql: str, expected: bool) -> None:
    assert needs_of(sql).is_prelude is expected


def test_long_texts_are_read_in_little_time() -> None:
    text = "INSERT INTO t VALUES (1, 'some text');\n" * 20_000
    begin = time.monotonic()
    assert needs_of(text).writes
    assert time.monotonic() - begin < 1


# What the schema does by itself


def _traits(functions: list[tuple[str, bool, str]] | None = None, **found: object) -> Traits:
    answer = {"defers": False, "functions": functions, "parts": None, "views": None, "foreign": None}
    return traits_of(json.dumps(answer | found))


def _hangs(traits: Traits, sql: str) -> bool:
    return traits.hanging.is_in(sql, needs_of(sql))


def test_deferred_triggers_make_writing_hang() -> None:
    traits = _traits([("write", False, "INSERT INTO t VALUES (1)"), ("read", False, "SELECT 1")], defers=True)
    assert _hangs(traits, "DELETE FROM t")
    assert _hangs(traits, "SELECT write()")
    assert not _hangs(traits, "SELECT read()")
    assert not _hangs(_traits(), "DELETE FROM t")


def test_functions_hang_by_what_they_call() -> None:
    traits = _traits(
        [
            ("inner", False, "SELECT pg_notify('news', '')"),
            ("Outer", False, "SELECT inner()"),
            ("other", False, "SELECT 1"),
        ]
    )
    assert _hangs(traits, "SELECT OUTER()")
    assert not _hangs(traits, "SELECT other()")
    assert not _hangs(traits, "DELETE FROM t")


def test_triggers_act_where_something_is_written() -> None:
    traits = _traits(
        [
            ("tell", True, "PERFORM pg_notify('news', '')"),
            ("stamp", True, "NEW.at := now()"),
            ("mark", True, "PERFORM set_config('app.user', 'a', false)"),
        ]
    )
    for trait in (traits.hanging, traits.clock, traits.outlasting):
        assert trait.is_in("DELETE FROM t", needs_of("DELETE FROM t"))
        assert not trait.is_in("SELECT 1", needs_of("SELECT 1"))


def test_views_use_the_time() -> None:
    clock = _traits(parts=[("named", "Fresh", "now()")]).clock
    assert clock.is_in("SELECT * FROM fresh", needs_of("SELECT * FROM fresh"))


def test_views_over_functions_and_other_views_use_the_time() -> None:
    parts = [("named", "fresh", "at"), ("named", "fresher", "fresh"), ("named", "other", "elsewhere")]
    functions = [("at", False, "SELECT now()"), ("look", False, "SELECT * FROM fresher")]
    clock = _traits(functions, parts=parts).clock
    assert clock.names == {"at", "fresh", "fresher", "look"}
    assert not _traits([("at", False, "SELECT 1")], parts=parts).clock.names


@pytest.mark.parametrize(
    ("place", "sql", "expected"),
    [
        ("written", "UPDATE t SET a = 1", True),
        ("written", "SELECT write()", True),
        ("written", "SELECT a FROM t", False),
        ("altered", "CREATE TABLE u ()", True),
        ("altered", "COMMENT ON TABLE t IS ''", True),
        ("altered", "SELECT 1 INTO u", True),
        ("altered", "UPDATE t SET a = 1", False),
        ("anywhere", "SELECT a FROM t", True),
    ],
)
def test_what_is_called_without_its_name_is_known(place: str, sql: str, expected: bool) -> None:
    functions = [("at", False, "SELECT now()"), ("write", False, "INSERT INTO t VALUES (1)")]
    clock = _traits(functions, parts=[(place, "", "at")]).clock
    assert clock.is_in(sql, needs_of(sql)) is expected


def test_functions_that_write_do_what_triggers_do() -> None:
    traits = _traits([("stamp", True, "NEW.at := now()"), ("write", False, "INSERT INTO t VALUES (1)")])
    assert traits.clock.is_in("SELECT write()", needs_of("SELECT write()"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO orders VALUES (1)", True),
        ('INSERT INTO public."Orders" VALUES (1)', True),
        ("COPY orders FROM STDIN", True),
        ("UPDATE orders SET at = DEFAULT", True),
        ("MERGE INTO orders USING new ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", True),
        ("INSERT INTO recent VALUES (1)", True),
        ("SELECT place_order(1)", True),
        ("SELECT run(1)", True),
        ("UPDATE orders SET state = 'sent'", False),
        ("DELETE FROM orders", False),
        ("INSERT INTO other VALUES (1)", False),
        ("SELECT * FROM orders", False),
    ],
)
def test_defaults_use_the_time_where_they_are_inserted(sql: str, expected: bool) -> None:
    functions = [("place_order", False, "INSERT INTO orders VALUES (1)"), ("run", False, "EXECUTE some_text")]
    clock = _traits(functions, parts=[("inserted", "Orders", "now()")], views=["recent"]).clock
    assert clock.is_in(sql, needs_of(sql)) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT name FROM t WHERE id = $1", True),
        ("  (VALUES (1))", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("SELECT now()", True),
        ("SHOW work_mem", True),
        ("SELECT * FROM t FOR UPDATE", False),
        ("SELECT * INTO copied FROM t", False),
        ("WITH gone AS (DELETE FROM t RETURNING 1) SELECT * FROM gone", False),
        ("SELECT 1; INSERT INTO t VALUES (1)", False),
        ("SELECT set_config('work_mem', '1MB', false)", False),
        ("SELECT pg_notify('news', '')", False),
        ("INSERT INTO t VALUES (1)", False),
        ("EXPLAIN ANALYZE DELETE FROM t", False),
        ("-- a comment\nSELECT 1", False),
    ],
)
def test_what_only_reads_is_known(sql: str, expected: bool) -> None:
    assert needs_of(sql).only_reads is expected


def test_what_calls_functions_that_write_is_known() -> None:
    functions = [("count_up", False, "UPDATE t SET a = a + 1"), ("look", False, "SELECT 1")]
    parts = [("named", "counted", "count_up"), ("named", "written", "write_elsewhere")]
    writing = _traits(functions, parts=parts, foreign=["write_elsewhere"]).writing
    for sql in ("SELECT count_up()", "SELECT * FROM counted", "SELECT * FROM written", "SELECT write_elsewhere()"):
        assert writing.is_in(sql, needs_of(sql))
    assert not writing.is_in("SELECT look()", needs_of("SELECT look()"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET work_mem = '1MB'", True),
        ("RESET ALL", True),
        ("SELECT set_config('work_mem', '1MB', false)", True),
        ("PREPARE p AS SELECT 1", True),
        ("DISCARD ALL", True),
        ("CREATE TEMP TABLE t (a int)", True),
        ("SELECT 1; SET ROLE app", True),
        ("FETCH ALL FROM c", True),
        ("EXECUTE p", True),
        ("UPDATE t SET a = 1", False),
        ("SELECT a FROM t", False),
        ("BEGIN", False),
    ],
)
def test_what_alters_the_session_is_known(sql: str, expected: bool) -> None:
    assert needs_of(sql).alters_session is expected


def test_functions_alter_the_session() -> None:
    bodies = {
        "settle": "BEGIN SET search_path = other; END",
        "configure": "BEGIN PERFORM set_config('a.b', '', false); END",
        "build": "EXECUTE 'CREATE TEMP TABLE t ()'",
        "change": "UPDATE t SET a = 1",
    }
    session = _traits([(name, False, body) for name, body in bodies.items()]).session
    assert session.names == {"settle", "configure", "build"}
