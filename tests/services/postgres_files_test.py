"""Many files by one psql: each is as alone as if it had one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.template_tool import TemplateBuild


def _succeeds(build: TemplateBuild) -> None:
    done = build.run()
    assert (done.returncode, done.stderr) == (0, "")


def _refusal(build: TemplateBuild) -> str:
    done = build.run()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


_ASSERT = "DO $$ BEGIN ASSERT {}; END $$;\n"
_LEAKS = {
    "settings": ("SET search_path = nowhere; SET work_mem = '9MB';", "current_setting('work_mem') <> '9MB'"),
    "settings of the program's own": ("SET app.tenant = 'x';", "current_setting('app.tenant', true) IS NULL"),
    "pg_dump's search_path": (
        "SELECT pg_catalog.set_config('search_path', '', false);",
        "current_setting('search_path') <> ''",
    ),
    "roles": ("CREATE ROLE app; SET ROLE app;", "current_user = 'test'"),
    "temporary tables": ("CREATE TEMP TABLE t (x int);", "to_regclass('t') IS NULL"),
    "prepared statements": ("PREPARE p AS SELECT 1;", "NOT EXISTS (SELECT FROM pg_prepared_statements)"),
    "advisory locks": (
        "SELECT pg_advisory_lock(1);",
        "NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')",
    ),
    "settings of the role": ("ALTER ROLE test SET work_mem = '9MB';", "current_setting('work_mem') = '9MB'"),
    "the seed of random()": (
        "SELECT setseed(0.5); CREATE TABLE r AS SELECT random() AS first; SELECT setseed(0.5);",
        "random() <> (SELECT first FROM r)",
    ),
    "another database": ("CREATE DATABASE other;\n\\connect other", "current_database() = 'test'"),
}


@pytest.mark.parametrize("what", _LEAKS)
def test_nothing_of_a_session_is_left_to_the_next_file(tmp_path: Path, what: str) -> None:
    before, expected = _LEAKS[what]
    build = TemplateBuild(tmp_path).migration("1.sql", before + "\n")
    _succeeds(build.migration("2.sql", _ASSERT.format(expected)).seed("3.sql", _ASSERT.format(expected)))


@pytest.mark.parametrize(
    "command",
    [
        "\\set x 1",
        "\\set ON_ERROR_STOP off",
        "\\set AUTOCOMMIT off",
        "\\pset null nothing",
        "\\o /dev/null",
        "\\cd /",
        "\\q",
    ],
)
def test_nothing_of_psql_is_left_to_the_next_file(tmp_path: Path, command: str) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", "CREATE TABLE a (x int);\n").migration("2.sql", f"{command}\n")
    build.migration("3.sql", "\\if :{?x}\nSELECT x_is_set;\n\\endif\nINSERT INTO a VALUES (1);\n")
    message = _refusal(build.migration("4.sql", _ASSERT.format("EXISTS (SELECT FROM a)")).seed("5.sql", "SELECT nope;"))
    assert message.startswith("//app:db: PostgreSQL refused seed app/5.sql, line 1:\n")


def test_what_a_function_sets_is_not_left_to_the_file_after_the_next(tmp_path: Path) -> None:
    makes = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('app.x', 'y', false); END $$;\n"
    build = TemplateBuild(tmp_path).migration("1.sql", makes).migration("2.sql", "SELECT f();\n")
    _succeeds(build.migration("3.sql", _ASSERT.format("current_setting('app.x', true) IS NULL")))


def test_settings_of_the_database_hold_from_the_next_file_on(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration(
        "1.sql", "ALTER DATABASE test SET search_path = app;\nCREATE SCHEMA app;\n"
    )
    build.migration("2.sql", "CREATE TABLE a (x int);\n")
    _succeeds(build.migration("3.sql", _ASSERT.format("to_regclass('app.a') IS NOT NULL")))


def test_a_file_whose_last_statement_has_no_end_does_not_run_into_the_next(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", "CREATE TABLE a (x int)").migration("2.sql", "")
    build.migration("3.sql", "COPY a FROM stdin;\n1\n2\n").migration("4.sql", "INSERT INTO a VALUES (3)")
    _succeeds(build.seed("5.sql", _ASSERT.format("(SELECT count(*) FROM a) = 3")))


@pytest.mark.parametrize("name", ["it's.sql", "back\\slash.sql", "a b.sql", ":x.sql", 'quo"te.sql', "`id`.sql"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", "SELECT 1;\n")
    assert f"refused migration app/{name}, line 2:\n" in _refusal(build.migration(name, "\nSELECT nope;\n"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("BEGIN;\nCREATE TABLE a (x int);\n", 1),
        ("BEGIN; COMMIT;\nSELECT 1;\nstart transaction;\nCREATE TABLE a (x int)", 3),
        ("\\set x 1\nBEGIN;\nCREATE TABLE a (x int);\n", 2),
    ],
)
def test_a_transaction_that_is_left_open_is_refused(tmp_path: Path, text: str, line: int) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", "SELECT 1;").migration("2.sql", text).migration("3.sql", "")
    message = _refusal(build)
    assert message.startswith(
        f"//app:db: migration app/2.sql leaves a transaction open (line {line} begins one): Postgre"
    )
    assert message.endswith("End it with COMMIT;\n")


def test_a_transaction_that_psql_begins_by_itself_and_leaves_open_is_refused(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", "\\set AUTOCOMMIT off\nCREATE TABLE a (x int);\n")
    assert "migration app/1.sql leaves a transaction open: PostgreSQL" in _refusal(build)


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN NULL; END $$;\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n",
        "BEGIN;\nCREATE TABLE a (x int);\nCOMMIT;\nVACUUM a;\n",
        "/* BEGIN; /* nested */ BEGIN; */\nSELECT 'BEGIN;', E'it\\'s; BEGIN;', $a$ BEGIN; $$ $a$;\n",
    ],
)
def test_no_transaction_is_seen_where_there_is_none(tmp_path: Path, text: str) -> None:
    _succeeds(TemplateBuild(tmp_path).migration("1.sql", text))


def test_a_constraint_that_fails_at_the_commit_names_the_file(tmp_path: Path) -> None:
    deferred = "CREATE TABLE a (x int PRIMARY KEY, y int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1, 2);\n"
    build = TemplateBuild(tmp_path).option("layout", "goose").migration("1_a.sql", f"-- +goose Up\n{deferred}")
    message = _refusal(build.migration("2_b.sql", "-- +goose Up\nSELECT 1;\n"))
    assert message.startswith("//app:db: PostgreSQL refused migration app/1_a.sql:\n")
    assert "violates foreign key constraint" in message


@pytest.mark.parametrize("role", ["postgres", "app_owner"])
def test_an_owner_that_is_not_there_leads_to_what_to_write(tmp_path: Path, role: str) -> None:
    dump = f"CREATE TABLE public.users (id integer);\nALTER TABLE public.users OWNER TO {role};\n"
    message = _refusal(TemplateBuild(tmp_path).migration("dump.sql", dump))
    assert "refused migration app/dump.sql, line 2:\n" in message
    assert f'write user = "{role}" on the service; if it is one of the application\'s' in message
    assert f"CREATE ROLE {role}; or write the file by pg_dump --no-owner --no-privileges\n" in message


def test_a_dump_with_an_owner_is_applied_where_the_user_is_that_owner(tmp_path: Path) -> None:
    dump = "\\restrict x\nCREATE TABLE public.users (id integer);\nALTER TABLE public.users OWNER TO postgres;\n\\unrestrict x\n"
    _succeeds(TemplateBuild(tmp_path).option("user", "postgres").migration("dump.sql", dump))


@pytest.mark.parametrize("command", [r"\i nowhere.sql", r"\ir nowhere.sql", r"\copy a from nowhere.csv"])
def test_an_included_file_that_is_not_there_leads_to_what_to_write(tmp_path: Path, command: str) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("1.sql", f"CREATE TABLE a (x int);\n{command}\n"))
    assert "refused migration app/1.sql, line 2:\n" in message
    assert "No such file or directory\n" in message
    assert "what a file includes is an input: under Bazel name it in data, beside migrations" in message


def test_tables_in_another_database_lead_to_what_to_write(tmp_path: Path) -> None:
    dump = "CREATE DATABASE shop;\n\\connect shop\nCREATE TABLE users (id integer);\n"
    message = _refusal(TemplateBuild(tmp_path).migration("dump.sql", dump))
    assert (
        "have made 1 table(s) in database 'shop' and none in 'test', which is the one that tests are given" in message
    )
    assert (
        'pg_dump without --create); where programs want that name, write database = "shop" on the service\n' in message
    )


def test_a_file_that_ends_in_another_database_with_tables_is_refused(tmp_path: Path) -> None:
    half = "CREATE TABLE users (id integer);\nCREATE DATABASE app;\n\\c app\nCREATE TABLE orders (id integer);\n"
    message = _refusal(TemplateBuild(tmp_path).migration("1.sql", half))
    assert (
        "migration app/1.sql ends in database 'app', in which the files have made 1 table(s), and tests are" in message
    )
    assert (
        'write database = "app" on the service. If a second database is meant, end the file by \\connect test'
        in message
    )
    empty = "CREATE DATABASE app;\n\\c app\n\\set DBNAME x\n"
    _succeeds(
        TemplateBuild(tmp_path).migration("1.sql", empty).migration("2.sql", "CREATE TABLE users (id integer);\n")
    )


def test_a_second_database_is_no_fault(tmp_path: Path) -> None:
    more = "CREATE DATABASE more;\n\\connect more\nCREATE TABLE events (id integer);\n\\connect test\n"
    _succeeds(TemplateBuild(tmp_path).migration("1.sql", f"{more}CREATE TABLE users (id integer);\n"))
