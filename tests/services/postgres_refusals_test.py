"""Files that are no SQL or want what no template has: refused, or the server's refusal leads to what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.template_tool import TemplateBuild

_TABLE = "CREATE TABLE a (x int);\n"


def _refusal(build: TemplateBuild) -> str:
    done = build.run()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"--\n-- PostgreSQL database dump\n--\nCREATE TABLE a (x int);\nCOPY public.a (x) FROM stdin;\n1\n",
            "app/a.sql ends among the rows of a COPY, without \\. behind them: it is cut off; have pg_dump write it again",
        ),
        (b"PGDMP\x01\x0e", "app/a.sql is an archive of pg_dump's custom format: write it as text by pg_restore --file"),
        (b"\x1f\x8b\x08", "app/a.sql is compressed by gzip: unpack it, and name what comes out"),
        (b"PK\x03\x04", "app/a.sql is a zip archive"),
        (b"\x04\x22\x4d\x18", "app/a.sql is compressed by lz4: unpack it"),
        (b"toc.dat\0\0", "app/a.sql is an archive of pg_dump's tar format: write it as text by pg_restore --file"),
        (_TABLE.encode("utf-16"), "app/a.sql is UTF-16, which psql does not read: save it as UTF-8"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "app/a.sql is a pointer of Git LFS, not the file itself: run",
        ),
        (
            b"SELECT 1;\n\0\0CREATE TABLE a (x int);\n",
            "app/a.sql, line 2: it holds a byte 0, after which psql passes ov",
        ),
        (b"-- a\rCREATE TABLE a (x int);\r", "app/a.sql: its lines end with CR alone, so that a comment may hide what"),
    ],
    ids=["cut off", "pg_dump", "gzip", "zip", "lz4", "tar", "UTF-16", "LFS", "zeros", "CR"],
)
@pytest.mark.parametrize("layout", ["", "plain"])
def test_a_file_that_is_no_sql_is_refused(tmp_path: Path, layout: str, content: bytes, words: str) -> None:
    build = TemplateBuild(tmp_path).migration("a.sql", "").option("layout", layout)
    (tmp_path / "a.sql").write_bytes(content)
    assert words in _refusal(build)


@pytest.mark.parametrize("command", [r"\prompt 'who? ' who", r"\password me", r"SELECT 1 \watch"])
def test_a_command_for_a_terminal_is_refused(tmp_path: Path, command: str) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("a.sql", f"SELECT 1;\n{command}\n"))
    shown = command.removeprefix("SELECT 1 ")
    assert f"migration app/a.sql, line 2: {shown} is for a user at a terminal, and would wait for ever" in message


@pytest.mark.parametrize("command", [r"\copy a FROM pstdin", r"\COPY a (x) FROM PSTDIN WITH (FORMAT csv)"])
def test_rows_that_nobody_gives_psql_are_refused(tmp_path: Path, command: str) -> None:
    message = _refusal(TemplateBuild(tmp_path).migration("a.sql", f"{_TABLE}{command}\n"))
    assert f"migration app/a.sql, line 2: {command} reads what psql is given, which is nothing here: write" in message


def test_a_tablespace_elsewhere_is_refused_and_one_in_place_is_not(tmp_path: Path) -> None:
    made = f"-- CREATE TABLESPACE\nCREATE TABLESPACE fast LOCATION '{tmp_path}';\n"
    message = _refusal(TemplateBuild(tmp_path).migration("a.sql", made))
    assert "migration app/a.sql, line 2: CREATE TABLESPACE names a directory, which the servers of tests" in message
    in_place = "SET allow_in_place_tablespaces = on;\nCREATE TABLESPACE fast LOCATION '';\n"
    done = TemplateBuild(tmp_path).migration("b.sql", in_place).run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("layout", "name", "text", "words"),
    [
        ("", "a.sql", "SET ROLE \"my-app\";\n", 'let an earlier migration say CREATE ROLE "my-app"'),
        ("", "a.sql", "CREATE TABLE shop.a (x int);\n", "let an earlier migration say CREATE SCHEMA (servers of Supabase"),
        ("", "a.sql", "CREATE TABLE auth.a (x int);\n", "docs/schema.md (Supabase) has a file that makes its roles"),
        ("", "a.sql", "<<<<<<< HEAD\nSELECT 1;\n", "the file has marks of a merge conflict: resolve it"),
        ("", "a.sql", "CREATE SCHEMA public;\n", "take the statement out, or write CREATE SCHEMA IF NOT EXISTS public"),
        ("", "a.sql", "SET no_such_setting = 1;\n", "a newer pg_dump than this PostgreSQL may have written it: take the"),
        ("", "a.sql", 'SELECT \'a\' COLLATE "no_SUCH";\n', "docs/postgres.md (Locale) says which collations there are; as"),
        ("", "a.sql", "SELECT :name;\n", "psql has no value for a variable: write \\set and its name before it, or the"),
        ("", "a.sql", "CREATE TABLE {{ .Schema }}.a (x int);\n", "a tool fills in a template there, and psql does not: run"),
        ("", "a.sql", "SELECT version FROM schema_migrations;\n", "that table is the migration tool's own, and only the tool"),
        ("", "a.sql", "CREATE DATABASE test;\n", "take CREATE DATABASE and \\connect out, or dump without --create"),
        ("", "a.sql", "CREATE TABLE `a` (x int);\n", "that looks like the dialect of another database (MySQL and SQLite "),
        ("", "a.sql", "IF OBJECT_ID(N'a') IS NULL\nSELECT 1;\nGO\n", "SQL Server by [], and divides by GO): have migra"),
        ("", "a.sql", "CREATE TABLE a (x nvarchar(3));\n", "that looks like the dialect of another database"),
        ("", "a.sql", "CREATE TABLE $schema$.a (x int);\n", "or a tool, such as DbUp, would put a value there: run the tool"),
        ("", "a.sql", "GRANT ALL ON DATABASE shop TO public;\n", 'write database = "shop" on it, or current_database() and'),
        ("", "a.sql", "CREATE USER test;\n", "take the statement out, or give the service another superuser (user)"),
        ("", "a.sql", "CREATE TABLE a (x int) TABLESPACE fast;\n", "dump with --no-tablespaces, or let an earlier migr"),
        ("", "a.sql", f"{_TABLE}COPY a FROM '/no/a.csv';\n", "write \\copy, with a path from the project's directory"),
        ("", "a.sql", "SELECT uuid_generate_v4();\n", 'CREATE EXTENSION "uuid-ossp", or write extensions = ["uuid-ossp"]'),
        ("", "a.sql", "SELECT crypt('a', 'b');\n", 'the extension pgcrypto brings it: let an earlier migration say CREATE'),
        ("", "a.sql", "CREATE TABLE a (x citext);\n", "the extension citext brings it: let an earlier migration say CR"),
        ("", "a.sql", "CREATE TABLE a (x text);\nCREATE INDEX ON a USING gin (x gin_trgm_ops);\n", "extension pg_trgm b"),
        ("", "a.sql", f"{_TABLE}ALTER TABLE a ADD EXCLUDE USING gist (x WITH =);\n", "the extension btree_gist brings"),
        ("", "a.sql", "CREATE TABLE a (x public.vector(3));\n", "the extension vector brings it: let an earlier migrati"),
        ("", "rows.csv", "x\n1\n", "\\copy TABLE FROM 'app/rows.csv' WITH (FORMAT csv, HEADER). Name that one"),
        ("goose", "1_a.sql", "-- +goose Up\nDO $$ BEGIN COMMIT; END $$;\n", "and a block in it says COMMIT: write the tool's"),
        ("", "a.sql", "DROP DATABASE test;\n", "the schema is built in that database: take CREATE DATABASE and \\connect"),
        ("", "a.sql", "-- first\nALTER TABLE a DROP CONSTRAINT b;\n", "write it without --clean, or with --if-exists\n"),
        ("", "a.sql", "DROP TABLE IF EXISTS a;\nALTER TABLE a ADD x int;\n", "in the statement:\n    ALTER TABLE a ADD x int;\n"),
        ("", "a.sql", "CREATE TABLE a (x int)\n--> statement-breakpoint\nSELECT 1\n", "end the one before that line by ;"),
        ("", "a.sql", "GRANT ALL ON SCHEMA public TO anon;\n", "servers of Supabase have it, and a plain PostgreSQL has"),
        ("", "a.sql", "INSERT INTO storage.buckets VALUES (1);\n", "docs/schema.md (Supabase) has a file that makes its roles"),
        ("", "a.json", "{}\n", "is app/a.json a file of SQL? Have migrations name only such files"),
        ("", "a.sql", "\\connect postgres\nCREATE TABLE a (x int);\n", "out of the files (pg_dump without --create)\n"),
        ("", "a.sql", "\\restrict x\nSELECT 1;\n", "no \\unrestrict follows: it is cut off; have pg_dump write it again"),
        ("", "a.sql", "\\connect \"dbname=postgres\"\n", "without a name: take \\connect out of the file"),
        ("", "a.sql", "SELECT pg_create_physical_replication_slot('x');\n", 'write settings = { wal_level = "logical" } on'),
        ("", "a.sql", "\\ir a.sql\n", "app/a.sql:\n    psql ended without a word: does the file include itself?"),
        ("", "a.sql", "\\lo_import 'no.png'\n", "app/a.sql, line 1:\n    could not open file \"no.png\": No such file or dir"),
        ("", "a.py", "def upgrade(): pass\n", "is app/a.py a file of SQL? Have migrations name only such files; files of"),
        ("goose", "1_a.sql", f"-- +goose Up\n{_TABLE}VACUUM a;\n", "the file is run in a transaction, as its tool runs it"),
    ],
)  # fmt: skip
def test_a_refusal_leads_to_what_to_do(tmp_path: Path, layout: str, name: str, text: str, words: str) -> None:
    assert words in _refusal(TemplateBuild(tmp_path).option("layout", layout).migration(name, text))


def test_a_file_that_is_not_utf8_leads_to_what_to_do(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path).migration("a.sql", "")
    (tmp_path / "a.sql").write_bytes("SELECT 'é';\n".encode("latin-1"))
    assert "the file is not UTF-8: convert it (for instance iconv -f LATIN1 -t UTF-8)" in _refusal(build)


@pytest.mark.parametrize("of", ['DATABASE :"DBNAME"', "ROLE CURRENT_USER"])
def test_settings_of_the_schema_do_not_reach_the_build_itself(tmp_path: Path, of: str) -> None:
    settings = ("temp_tablespaces = ''", "search_path = '', \"$user\", ''", "statement_timeout = '1ms'", "role = app")
    changes = "".join(f"ALTER {of} SET {setting};\n" for setting in (*settings, "default_transaction_read_only = on"))
    done = TemplateBuild(tmp_path).migration("a.sql", f"CREATE ROLE app;\n{_TABLE}{changes}").run()
    assert (done.returncode, done.stderr) == (0, "")


_SETTINGS = [("wal_level", "logical"), ("timezone", "Europe/Berlin"), ("max_replication_slots", "5")]


@pytest.mark.parametrize(("name", "value"), _SETTINGS)
def test_a_setting_of_the_server_that_tests_would_not_have_is_refused(tmp_path: Path, name: str, value: str) -> None:
    build = TemplateBuild(tmp_path).migration("a.sql", f"{_TABLE}ALTER SYSTEM SET {name} = '{value}';\n")
    message = _refusal(build)
    assert (
        f"the files say ALTER SYSTEM SET {name} = '{value}', and servers of tests are started with {name} = " in message
    )
    assert f'write settings = {{"{name}": "{value}"}} on the service' in message
    assert build.option("setting", f"{name}={value}").run().returncode == 0


@pytest.mark.parametrize("statement", ["SET work_mem = '9MB'", "SET shared_buffers = '1GB'", "SET timezone = 'utc'"])
def test_one_that_they_have_or_do_not_see_is_not(tmp_path: Path, statement: str) -> None:
    done = TemplateBuild(tmp_path).migration("a.sql", f"{_TABLE}ALTER SYSTEM {statement};\n").run()
    assert done.returncode == 0, done.stderr
