"""Transaction control is found wherever PostgreSQL would see it, and nowhere else."""

from __future__ import annotations

import pytest

from realservices.kinds.postgres.isolation import statements
from realservices.kinds.postgres.isolation.needs import needs_of
from realservices.kinds.postgres.isolation.statements import Control


def actions(sql: str) -> list[str]:
    """Return what the steps do, with texts in place of other statements."""
    steps = needs_of(sql).steps
    return [step.action if isinstance(step, Control) else step.strip() for step in steps] or [sql]


@pytest.mark.parametrize(
    ("sql", "action"),
    [
        ("BEGIN", "BEGIN"),
        ("begin transaction isolation level serializable", "BEGIN"),
        ("START TRANSACTION READ WRITE;", "BEGIN"),
        ("  /* a /* nested */ one */ COMMIT -- done", "COMMIT"),
        ("END WORK", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("abort", "ROLLBACK"),
        ("ROLLBACK TO a", "ROLLBACK TO"),
        ("ROLLBACK TRANSACTION TO SAVEPOINT a", "ROLLBACK TO"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE a", "RELEASE"),
        ("RELEASE SAVEPOINT a", "RELEASE"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("COMMIT PREPARED 'x'", "PREPARED"),
        ("ROLLBACK PREPARED 'x'", "PREPARED"),
    ],
)
def test_control_is_found(sql: str, action: str) -> None:
    assert actions(sql) == [action]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 'BEGIN; COMMIT'",
        "SELECT E'it\\'s; COMMIT;'",
        "SELECT 'it''s; COMMIT;'",
        "SELECT $$; COMMIT; $$, $tag$; ROLLBACK; $$ $tag$",
        'SELECT "a;COMMIT;" FROM t',
        "SELECT 1 -- ; COMMIT",
        "SELECT 1 /* ; COMMIT; */",
        "SELECT CASE WHEN true THEN 1 END",
        "PREPARE p AS SELECT 1",
        "SELECT start, commit FROM t WHERE a = $1 AND b$c = 2",
        "UPDATE t SET release = 1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        "CREATE OR REPLACE PROCEDURE f() LANGUAGE sql BEGIN ATOMIC SELECT 1; END;",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ],
)
def test_other_statements_are_left_as_they_are(sql: str) -> None:
    assert not needs_of(sql).steps


def test_script_is_divided_at_control_only() -> None:
    sql = "INSERT INTO t VALUES (';'); SELECT 1; BEGIN; CREATE TABLE u (a int); COMMIT; SELECT 2;"
    assert actions(sql) == [
        "INSERT INTO t VALUES (';'); SELECT 1",
        "BEGIN",
        "CREATE TABLE u (a int)",
        "COMMIT",
        "SELECT 2",
    ]


def test_what_follows_a_function_body_is_seen() -> None:
    sql = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT"
    assert actions(sql)[1:] == ["COMMIT"]


@pytest.mark.parametrize(
    ("sql", "read_only", "is_special"),
    [
        ("BEGIN", False, False),
        ("BEGIN READ ONLY", True, False),
        ("START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE", True, False),
        ("BEGIN READ WRITE", False, True),
        ("BEGIN DEFERRABLE", False, True),
        ("BEGIN ISOLATION LEVEL READ UNCOMMITTED", False, True),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", False, True),
        ("SET TRANSACTION READ ONLY", True, False),
        ("SET TRANSACTION SNAPSHOT '1'", False, True),
    ],
)
def test_modes_are_read(sql: str, read_only: bool, is_special: bool) -> None:
    (control,) = needs_of(sql).steps
    assert isinstance(control, Control)
    assert (control.read_only, control.is_special) == (read_only, is_special)


def test_chains_are_read() -> None:
    steps = needs_of("COMMIT AND CHAIN; ROLLBACK AND NO CHAIN").steps
    assert [step.chain for step in steps if isinstance(step, Control)] == [True, False]


@pytest.mark.parametrize("sql", ["SELECT 'open", "SELECT $$open", "/* open", 'SELECT "open', "", ";", "-- only"])
def test_unfinished_text_does_not_stop_the_reader(sql: str) -> None:
    found = actions(sql + " BEGIN COMMIT")
    assert found == [sql + " BEGIN COMMIT"] or statements.BEGIN in found


@pytest.mark.parametrize(("sql", "expected"), [("alter table t add b int", True), ("insert into t values (1)", False)])
def test_schema_changes_are_noticed(sql: str, expected: bool) -> None:
    assert needs_of(sql).changes_schema is expected
