"""Where ClickHouse's statements end, and which names stand in them."""

from __future__ import annotations

import pytest

from realservices.kinds.clickhouse.sql import quote_name, quote_text, split_statements, without_database


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split_statements(sql)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a;b'",
        "SELECT 'it''s; one'",
        r"SELECT 'it\'s; one'",
        r"SELECT '\\', 2",
        'SELECT 1 AS "a;b"',
        'SELECT 1 AS "a "";"',
        "SELECT 1 AS `a;b`",
        "SELECT $$ ; ' $$, 1",
        "SELECT $tag$ ; $$ ' $tag$",
        "SELECT 1 -- why; not",
        "SELECT /* a;b */ 1",
        "SELECT 1 # a;b",
        "SELECT a$b$c, d$b$e",
        "INSERT INTO t VALUES (1, ';'), (2, ';')",
    ],
)
def test_a_semicolon_within_something_ends_nothing(sql: str) -> None:
    statements = split_statements(f"{sql}\n;SELECT 2;")
    # A comment after the last word is not part of the statement.
    assert len(statements) == 2
    assert sql.startswith(statements[0].text)
    assert statements[1].text == "SELECT 2"


def test_comments_between_statements_are_left_out_and_lines_are_right() -> None:
    sql = "-- head; \n\n/* a\nb */ SELECT 1;\n;;\n# c\n#! d\nSELECT\n 2 -- e\n, 3;\n-- end\n"
    statements = split_statements(sql)
    assert [(s.text, s.line, s.last_line) for s in statements] == [("SELECT 1", 4, 4), ("SELECT\n 2 -- e\n, 3", 8, 10)]


def test_nothing_has_no_statements() -> None:
    assert texts("") == texts(" \n") == texts("-- only\n;") == []


@pytest.mark.parametrize("sql", ["SELECT 'open; end", "SELECT `open; end", "SELECT /* open; end"])
def test_what_is_not_closed_goes_to_the_server_whole(sql: str) -> None:
    assert texts("SELECT 1;" + sql)[1:] == [sql if "/*" not in sql else "SELECT"]


def test_the_first_words() -> None:
    assert split_statements("/* x */ create table if not exists t (a Int32)")[0].words == [
        "CREATE",
        "TABLE",
        "IF",
        "NOT",
        "EXISTS",
    ]


def test_inline_data_goes_to_an_empty_line() -> None:
    sql = 'INSERT INTO t (a, b) FORMAT CSV\n1,\'x;\n2,"it\'s"\n\nSELECT 1; insert into t format JSONEachRow {"a": ";"}\n \nSELECT 2'
    assert texts(sql) == [
        "INSERT INTO t (a, b) FORMAT CSV\n1,'x;\n2,\"it's\"",
        "SELECT 1",
        'insert into t format JSONEachRow {"a": ";"}',
        "SELECT 2",
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT 1 FORMAT Null",
        "INSERT INTO t FORMAT Values (1), (2)",
        "INSERT INTO t VALUES (1)",
        "SELECT 1 FORMAT CSV",
    ],
)
def test_other_formats_have_no_inline_data(sql: str) -> None:
    assert texts(sql + "; SELECT 2;\n\nSELECT 3") == [sql, "SELECT 2", "SELECT 3"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM db.t", "SELECT a FROM t"),
        ("SELECT `db`.`t`.`a`", "SELECT `t`.`a`"),
        ('SELECT "db".t', "SELECT t"),
        ("SELECT 'db.t', other.db.t, db1.t, db", "SELECT 'db.t', other.db.t, db1.t, db"),
        ("SELECT 1 -- db.t\n, db.t.a", "SELECT 1 -- db.t\n, t.a"),
        ("SELECT $$db.t$$, x.`db`.y", "SELECT $$db.t$$, x.`db`.y"),
    ],
)
def test_names_without_their_database(sql: str, expected: str) -> None:
    assert without_database(sql, "db") == expected


def test_quoting() -> None:
    assert quote_name("a`b\\c") == "`a\\`b\\\\c`"
    assert quote_text("it's \\") == "'it\\'s \\\\'"
