"""The template action: what it makes of files, and what it says about one that MariaDB or its client would misread."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from realservices.kinds.mariadb.server.settings import own_files
from tests.host import places
from tests.kinds.mariadb.template_build import TemplateBuild

TABLE = "CREATE TABLE a (x INT);\n"


@pytest.fixture
def build(tmp_path: Path) -> TemplateBuild:
    return TemplateBuild(tmp_path)


def test_files_are_applied_in_order_with_delimiters(build: TemplateBuild, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    build.script(b"\xef\xbb\xbf" + TABLE.encode()).script(
        "DELIMITER //\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.x = NEW.x + 1; END//\n"
    ).script("INSERT INTO a VALUES (1), (-- no end of a text: '\n2)", "--seed")
    info = build.option("--contents", str(rows)).info()
    assert info.keys() == {"server_version", "template_database"}
    assert "-MariaDB" in info["server_version"]
    assert rows.read_text() == "a\t('2',)\na\t('3',)\n"


@pytest.mark.parametrize(
    ("sql", "line", "words", "shown"),
    [
        (
            "\n-- the next one is wrong\nCREATE TABLE b (\n  x INT\n) ENGIN = Memory;",
            4,
            "Unknown option 'ENGIN'",
            "CREATE TABLE b (",
        ),
        ("INSERT INTO a\nVALUES ('no number');", 2, "Incorrect integer value: 'no number'", "INSERT INTO a"),
        ("SELECT 1;\nINSERT INTO nosuch VALUES (1);", 3, "Table 'test.nosuch' doesn't exist", "INSERT INTO nosuch"),
        ("INSERT INTO a VALUES (1);\n\\! echo hi", 3, "Unknown command", "\\! echo hi"),
        ("source /etc/passwd\n", 2, "syntax", "source /etc/passwd"),
        ("INSERT INTO a VALUES ('1);\n", 2, "syntax", "INSERT INTO a"),
    ],
)
def test_what_the_server_refuses_is_shown_with_its_line(
    build: TemplateBuild, sql: str, line: int, words: str, shown: str
) -> None:
    first, second, third, fourth = build.script(TABLE + sql).refusal().splitlines()[:4]
    assert first == f"//app:db: MariaDB refused migration app/migration.sql, line {line}:"
    assert second.startswith("    ERROR")
    assert words in second
    assert third == "  in the statement that begins with:"
    assert shown in fourth


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "BEGIN;\nINSERT INTO a VALUES (1);\n",
            "seed app/seed.sql begins a transaction and does not end it, so that the server has undone it: end it with "
            "COMMIT",
        ),
        (
            "SELECT '/*';\nINSERT INTO a VALUES (1);\n/* no end\nINSERT INTO a VALUES (2);\n",
            "seed app/seed.sql, line 3: the comment that begins here has no end, so that the client skips the rest of "
            "the file: close it with */",
        ),
        ("\ufeff".encode("utf-16-le") + b"x\0", "seed app/seed.sql is UTF-16; write it in UTF-8"),
        (
            "CREATE DATABASE other; USE other; CREATE TABLE b (x INT);",
            "the files have made the databases other beside 'test', and only that one is isolated for each test: put all "
            "tables into it (no CREATE DATABASE, no USE), or declare one service for each database",
        ),
        (
            "CREATE TABLE b (x INT) ENGINE = MEMORY; INSERT INTO b VALUES (1);",
            "rows were put into b, whose engine MEMORY forgets them when the server ends: use InnoDB",
        ),
        (
            "CREATE TABLE b (x INT) WITH SYSTEM VERSIONING;",
            "table b of database 'test' is system-versioned, and its history cannot be copied: make it without SYSTEM "
            "VERSIONING for tests",
        ),
    ],
)
def test_what_would_be_lost_is_refused(build: TemplateBuild, sql: str | bytes, reason: str) -> None:
    assert build.script(TABLE).script(sql, "--seed").refusal() == f"//app:db: {reason}\n"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "DROP DATABASE test;",
            "seed app/seed.sql has dropped the database 'test', which the service's tables are to be",
        ),
        ("SHUTDOWN;", "the server has ended while seed app/seed.sql was applied, or behind it"),
    ],
)
def test_a_file_that_takes_everything_away_is_named(build: TemplateBuild, sql: str, reason: str) -> None:
    assert build.script(TABLE).script(sql, "--seed").refusal().startswith(f"//app:db: {reason}")


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        ("CREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\nEND;\n", "put a line `DELIMITER //` before a routine"),
        (b"-- \nSELECT '\xe9' FROM nosuch;", "it is not: line 2 has the byte 0xe9. Save it as UTF-8"),
    ],
)
def test_what_to_do_is_said_where_the_server_does_not(build: TemplateBuild, sql: str | bytes, remedy: str) -> None:
    message = build.script(sql).refusal()
    assert message.startswith("//app:db: MariaDB refused migration app/migration.sql, line ")
    assert remedy in message.splitlines()[-1]


def test_a_transaction_of_a_file_may_be_rolled_back(build: TemplateBuild) -> None:
    build.script(TABLE + "BEGIN; INSERT INTO a VALUES (1); ROLLBACK;").info()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '';", "dump with --set-gtid-purged=OFF, or take it out"),
        ("source more.sql;", "commands of the client are not run: name the file that it reads in migrations"),
        ('CREATE TABLE "b" (x int);', "that looks like the dialect of another database"),
    ],
)
def test_a_refusal_leads_to_what_to_do(build: TemplateBuild, sql: str, words: str) -> None:
    assert words in build.script(sql).refusal()


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW v AS SELECT x FROM a;", "view v"),
        ("CREATE DEFINER=`root`@`localhost` TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1;", "trigger t"),
        ("CREATE DEFINER=`shop`@`10.0.0.1` FUNCTION f() RETURNS INT RETURN 1;", "function f"),
        ("CREATE DEFINER=`shop`@`%` EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM a;", "event e"),
    ],
)
def test_definers_that_tests_servers_do_not_have_are_refused(build: TemplateBuild, sql: str, what: str) -> None:
    message = build.script(TABLE + sql).refusal()
    assert (
        f"//app:db: the {what} has the definer {sql.split('`')[1]}@{sql.split('`')[3]}, which is no account" in message
    )
    assert "leave the clause DEFINER out of the file, so that it is test@%" in message


def test_definers_that_are_there_or_are_not_asked_are_taken(build: TemplateBuild) -> None:
    sql = (
        "CREATE USER shop@localhost; CREATE DEFINER=shop@localhost FUNCTION f() RETURNS INT RETURN 1;\n"
        "CREATE DEFINER=root@localhost SQL SECURITY INVOKER VIEW v AS SELECT x FROM a;\n"
        "CREATE VIEW w AS SELECT x FROM a; CREATE DEFINER=CURRENT_USER FUNCTION g() RETURNS INT RETURN 1;\n"
        "CREATE ROLE r; GRANT ALL ON *.* TO r; SET ROLE r; CREATE DEFINER=CURRENT_ROLE FUNCTION h() RETURNS INT RETURN 1;\n"
    )
    assert build.script(TABLE + sql).info()


def test_files_that_leave_no_table_are_refused(build: TemplateBuild) -> None:
    message = build.script(f"{TABLE}-- no known mark\nDROP TABLE a;\n").refusal()
    assert "migration app/migration.sql, line 1 makes a table, and after all files there is none: a part" in message


def test_files_of_a_migration_tool_are_refused(build: TemplateBuild) -> None:
    message = build.script(TABLE, name="1.up.sql").script("DROP TABLE a;", name="1_a.down.sql").refusal()
    assert "golang-migrate" in message


def test_a_setting_that_there_is_not(build: TemplateBuild) -> None:
    message = build.option("--setting", "nosuch=1").refusal()
    assert message.startswith("//app:db: MariaDB exited with code 7 before it had made its system tables. It says:\n")
    assert "unknown variable 'nosuch=1'" in message


def test_a_server_without_its_files(tmp_path: Path) -> None:
    lone = tmp_path / "bin" / "mariadbd"
    lone.parent.mkdir()
    lone.write_text("")
    message = TemplateBuild(tmp_path, lone).refusal()
    assert f"{lone} has no mariadb_system_tables.sql; looked in {tmp_path}/share, {tmp_path}/share/mysql" in message


@pytest.mark.parametrize(
    ("program", "file", "prefix"),
    [
        ("bin/mariadbd", "share/mariadb_system_tables.sql", "mariadb_"),
        ("sbin/mariadbd", "share/mysql/mysql_system_tables.sql", "mysql_"),
        ("sbin/mariadbd", "share/mariadb/mariadb_system_tables.sql", "mariadb_"),
    ],
)
def test_a_servers_files_are_where_its_package_puts_them(tmp_path: Path, program: str, file: str, prefix: str) -> None:
    for path in (tmp_path / program, tmp_path / file):
        path.parent.mkdir(parents=True)
        path.touch()
    assert own_files(str(tmp_path / program)) == (str((tmp_path / file).parent), prefix)


def test_a_template_has_one_account_and_no_password_that_all_know(build: TemplateBuild, tmp_path: Path) -> None:
    build.script("CREATE TABLE accounts AS SELECT 1 AS x;").option("--user", "app").info()
    # Read without a server: Aria's file of the accounts has what the table has.
    from realservices.host.archive import unpack_archive  # noqa: PLC0415

    unpack_archive(str(build.archive), str(tmp_path / "data"))
    rows = (tmp_path / "data" / "mysql" / "global_priv.MAD").read_bytes()
    assert b"app" in rows
    assert not (tmp_path / "data" / "multi-master.info").exists()


# Connects as a client that knows the URL, and sends each argument as a statement.
_SEND = """
import os, sys, urllib.parse
sys.excepthook = lambda kind, error, traceback: print(error)
sys.path.insert(0, os.environ["PACKAGE"])
from realservices.kinds.mariadb.wire import Connection
url = urllib.parse.urlsplit(os.environ["MARIADB_URL"])
with Connection((url.hostname, url.port), url.username, url.password, url.path[1:]) as connection:
    for statement in sys.argv[1:]:
        connection.run(statement)
"""


def _migrators(*migrators: tuple[str, list[str]]) -> str:
    spec = {
        "migrators": [
            {"name": "//app:send", "program": sys.executable, "args": [["-c"], [code], *([word] for word in words)]}
            for code, words in migrators
        ],
        "env": {"PACKAGE": [str(places.PACKAGE_ROOT)]},
        "timeout_s": 60,
    }
    return json.dumps(spec)


def test_migrators_run_between_files_and_seeds(build: TemplateBuild, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    build.script(TABLE).script("INSERT INTO b VALUES (5);", "--seed")
    spec = _migrators((_SEND, ["CREATE TABLE b AS SELECT * FROM a", "BEGIN; INSERT INTO a VALUES (9)"]))
    build.option("--migrate", spec, "--contents", str(rows)).info()
    assert rows.read_text() == "b\t('5',)\n"  # The open transaction has ended with its client.


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (_SEND, ["CREATE TABEL b"], "You have an error in your SQL syntax"),
        ("", [], "migrate: //app:send ended with code 0 and has never connected to this server"),
    ],
)
def test_a_migrator_that_fails_or_does_nothing(build: TemplateBuild, code: str, words: list[str], reason: str) -> None:
    assert reason in build.option("--migrate", _migrators((code, words))).refusal()
