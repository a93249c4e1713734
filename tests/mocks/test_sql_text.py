"""What a statement reads and writes."""

from __future__ import annotations

import pytest

from realservices.mocks.convert.sql_text import Condition, literal_of, parse_sql, placeholder_of

_SELECT = "SELECT id, u.name AS n FROM public.users u WHERE u.id = %s AND name = %(name)s ORDER BY id"
_INSERT = 'INSERT INTO "order" (a, b) VALUES ($1, lower($2)) ON CONFLICT (a) DO NOTHING RETURNING id'


def test_a_select() -> None:
    statement = parse_sql(_SELECT)
    assert statement is not None
    assert (statement.table, statement.columns) == ("users", ("id", "name"))
    assert statement.conditions == (Condition("id", "=", "$1"), Condition("name", "=", ":name"))


def test_an_insert() -> None:
    statement = parse_sql(_INSERT)
    assert statement is not None
    assert (statement.verb, statement.table, statement.columns) == ("insert", "order", ("a", "b"))
    assert (statement.values, statement.returning) == (("$1", "lower($2)"), ("id",))


def test_an_update_and_a_delete() -> None:
    statement = parse_sql("UPDATE users SET name = $2, seen = now() WHERE id = $1")
    assert statement is not None
    assert (statement.columns, statement.values) == (("name", "seen"), ("$2", "now()"))
    deleted = parse_sql("delete from s.users where id in (1)")
    assert deleted is not None
    assert (deleted.verb, deleted.table) == ("delete", "s.users")


@pytest.mark.parametrize(
    ("text", "is_count", "is_exists"),
    [
        ("SELECT count(*) FROM t", True, False),
        ("SELECT EXISTS(SELECT 1 FROM t)", False, True),
        ("SELECT a FROM t", False, False),
    ],
)
def test_counts(text: str, is_count: bool, is_exists: bool) -> None:
    statement = parse_sql(text)
    assert statement is not None
    assert (statement.is_count, statement.is_exists) == (is_count, is_exists)


@pytest.mark.parametrize("text", ["", "hello", "VACUUM", "selection of things"])
def test_what_is_no_statement_on_rows(text: str) -> None:
    assert parse_sql(text) is None


def test_conditions_with_or_are_not_told() -> None:
    statement = parse_sql("SELECT a FROM t WHERE a = 1 OR b = 2")
    assert statement is not None
    assert statement.conditions == ()


def test_values() -> None:
    assert [placeholder_of(text) for text in ("$2", "$1::int", ":name", "ANY($1)", "now()")] == [1, 0, "name", 0, None]
    assert [literal_of(text) for text in ("1", "'it''s'", "true", "NULL", "now()")] == [
        "1",
        '"it\'s"',
        "True",
        "None",
        None,
    ]
