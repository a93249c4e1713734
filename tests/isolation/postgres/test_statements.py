"""Transaction control is found wherever PostgreSQL would see it, and nowhere else."""

from __future__ import annotations

import pytest

from realservices.isolation.postgres import statements
from realservices.isolation.postgres.statements import Control, changes_schema, plan


def actions(sql: str) -> list[str]:
    """Return the plan's actions, with texts in place of other statements."""
    steps = plan(sql)
    return [sql] if steps is None else [s.action if isinstance(s, Control) else s.strip() for s in steps]


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
        ("PREPARE TRANSACTION 'x'", "refused"),
        ("COMMIT PREPARED 'x'", "refused"),
        ("ROLLBACK PREPARED 'x'", "refused"),
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
    assert plan(sql) is None


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
    ("sql", "name"),
    [("SAVEPOINT Mixed", "mixed"), ('SAVEPOINT "Mixed"', "Mixed"), ('ROLLBACK TO SAVEPOINT "a""b"', 'a"b')],
)
def test_names_are_folded_as_postgresql_folds_them(sql: str, name: str) -> None:
    steps = plan(sql)
    assert steps is not None
    assert isinstance(steps[0], Control)
    assert steps[0].name == name


def test_attributes_are_read() -> None:
    steps = plan("BEGIN READ ONLY; COMMIT AND CHAIN; ROLLBACK AND NO CHAIN")
    assert steps is not None
    begin, commit, rollback = (step for step in steps if isinstance(step, Control))
    assert begin.read_only
    assert commit.chain
    assert not rollback.chain


@pytest.mark.parametrize("sql", ["SELECT 'open", "SELECT $$open", "/* open", 'SELECT "open', "", ";", "-- only"])
def test_unfinished_text_does_not_stop_the_reader(sql: str) -> None:
    assert plan(sql + " BEGIN COMMIT") is None or statements.BEGIN in actions(sql + " BEGIN COMMIT")


@pytest.mark.parametrize(("sql", "expected"), [("alter table t add b int", True), ("insert into t values (1)", False)])
def test_schema_changes_are_noticed(sql: str, expected: bool) -> None:
    assert changes_schema(sql) is expected
