"""The template action: what it makes of schema files, and what it says about one that ClickHouse refuses."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from realservices.host.archive import unpack_archive
from realservices.kinds.clickhouse.engine import INSTALL, complaint_of
from realservices.kinds.clickhouse.server.config import is_library, lost_settings, write_configuration
from realservices.kinds.clickhouse.server.host import host_command
from realservices.services.data_archive import write_data_archive
from tests.host import places
from tests.services.clickhouse.template_build import TemplateBuild

TABLE = "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x;\n"


@pytest.fixture
def build(tmp_path: Path) -> TemplateBuild:
    return TemplateBuild(tmp_path)


def test_a_syntax_error_is_shown_with_its_own_line_and_statement(build: TemplateBuild) -> None:
    message = build.script(
        TABLE + "\n-- the next one is wrong\nCREATE TABLE b (\n  x Int32\n) ENGIN = Memory;\nSELECT 1;"
    ).refusal()
    first, second, *rest = message.splitlines()
    assert first == "//app:db: ClickHouse refused schema app/schema.sql, line 6:"
    assert second.startswith("    Code: 62. DB::Exception: Syntax error: failed at position 30 (ENGIN) (line 3, col 3)")
    assert rest == ["  in the statement:", "    CREATE TABLE b (", "      x Int32", "    ) ENGIN = Memory"]


def test_another_error_is_shown_with_the_lines_of_its_statement(build: TemplateBuild) -> None:
    message = build.script(TABLE).script("INSERT INTO a\nSELECT 1 + nosuch\nFROM numbers(2);", "--seed").refusal()
    assert message.startswith(
        "//app:db: ClickHouse refused seed app/seed.sql, lines 1-3:\n    Code: 47. DB::Exception:"
    )
    assert "UNKNOWN_IDENTIFIER" in message
    assert message.endswith("  in the statement:\n    INSERT INTO a\n    SELECT 1 + nosuch\n    FROM numbers(2)\n")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "CREATE TABLE b (x Int32) ENGINE = ReplicatedMergeTree('/b', 'r') ORDER BY x;",
            "say MergeTree for Replicated",
        ),
        ("CREATE TABLE b ON CLUSTER '{cluster}' (x Int32) ENGINE = Memory;", "and no ON CLUSTER; or name a server of"),
        ("CREATE USER bob;", "keeps no accounts: tests and programs connect as the service's user"),
        ("CREATE TABLE b (x bigserial) ENGINE = Memory;", "that looks like the dialect of another database"),
    ],
)
def test_a_refusal_leads_to_what_to_do(build: TemplateBuild, sql: str, words: str) -> None:
    assert words in build.script(sql).refusal()


def test_files_that_leave_no_table_are_refused(build: TemplateBuild) -> None:
    message = build.script(f"{TABLE}-- no known mark\nDROP TABLE a;\n").refusal()
    assert "schema app/schema.sql, line 1 makes a table, and after all files there is none: a part that" in message


def test_wrong_rows_are_refused_with_the_data(build: TemplateBuild) -> None:
    message = build.script(TABLE).script('INSERT INTO a FORMAT JSONEachRow\n{"x": "no number"}\n', "--seed").refusal()
    assert message.startswith("//app:db: ClickHouse refused seed app/seed.sql, lines 1-2:\n")
    assert "no number" in message


def test_a_file_that_is_not_utf_8(build: TemplateBuild, tmp_path: Path) -> None:
    path = tmp_path / "latin.sql"
    path.write_bytes(TABLE.encode() + b"INSERT INTO a SELECT length('\xe9')")
    message = build.option("--schema", f"app/latin.sql={path}").refusal()
    assert message == (
        "//app:db: schema app/latin.sql, line 2: the byte 0xe9 is not UTF-8, in which files with statements are. "
        "Save the file as UTF-8; write other bytes as unhex('ff')\n"
    )


def test_a_file_of_windows(build: TemplateBuild, tmp_path: Path) -> None:
    path = tmp_path / "windows.sql"
    path.write_bytes(b"\xef\xbb\xbf-- made there\r\n" + TABLE.encode().replace(b"\n", b"\r\n"))
    assert build.option("--schema", f"app/windows.sql={path}").info()["replay"]["refusal"] == ""


def test_a_program_that_is_another_one(build: TemplateBuild) -> None:
    message = build.option("--server", "/bin/false").refusal()
    assert "does not start; it exited with code 1. It says:" in message
    assert f"The program is /bin/false. If it is no ClickHouse, name the libchdb.so of `{INSTALL}`" in message


def test_a_setting_that_there_is_not(build: TemplateBuild) -> None:
    message = build.option("--setting", "nosuch=1").refusal()
    assert message.startswith("//app:db: ClickHouse does not start; it exited with code 1. It says:\n")
    assert "Unknown setting 'nosuch'" in message


def test_a_setting_that_only_a_program_has(build: TemplateBuild) -> None:
    message = build.option("--server-setting", "custom_settings_prefixes=app_").refusal()
    assert message == (
        "//app:db: server_settings: custom_settings_prefixes: the engine as a library (libchdb.so) has no such setting. "
        "Name a clickhouse program: by REALSERVICES_CLICKHOUSE for plain pytest, with Bazel by "
        "`realservices.clickhouse(path = …)` in MODULE.bazel\n"
    )
    assert lost_settings("/usr/bin/clickhouse", {"custom_settings_prefixes": "app_"}) == ""
    assert lost_settings("/x/libchdb.so", {"mark_cache_size": "1"}) == ""


def test_a_file_of_another_tools_is_refused(build: TemplateBuild) -> None:
    message = build.script(f"-- +goose Up\n{TABLE}-- +goose Down\nDROP TABLE a;\n").refusal()
    assert message.startswith("//app:db: app/schema.sql, line 3: '-- +goose Down' is a mark of goose's, and the whole")
    assert message.endswith("or run the tool itself (attribute and key migrate)\n")


def test_rows_in_a_table_that_forgets_them(build: TemplateBuild) -> None:
    message = build.script("CREATE TABLE m (x Int32) ENGINE = Memory; INSERT INTO m VALUES (1);").refusal()
    assert "rows were put into test.m, whose engine Memory forgets them when the server ends: use MergeTree" in message


def test_a_server_that_is_none(build: TemplateBuild) -> None:
    message = build.option("--server", "/nowhere/libchdb.so").refusal()
    assert "ClickHouse does not start; it exited with code 127. It says:" in message
    assert (
        "/nowhere/libchdb.so is not ClickHouse's engine: /nowhere/libchdb.so: cannot open shared object file" in message
    )


def test_a_library_that_is_another_one(build: TemplateBuild) -> None:
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so" in line)
    link = build.archive.parent / "libchdb.so"
    link.symlink_to(libc)
    message = build.option("--server", str(link)).refusal()
    assert "is not ClickHouse's engine: " in message
    assert "chdb_query_cmdline" in message


def test_settings_and_temporary_tables_last_for_a_file(build: TemplateBuild) -> None:
    sql = "SET max_block_size = 77; CREATE TEMPORARY TABLE mine (x Int32); INSERT INTO mine VALUES (7); INSERT INTO a SELECT x FROM mine;"
    info = build.script(TABLE + sql).info()
    assert info["replay"]["session"] is True
    assert info["replay"]["copies"] == {"a": ["ALTER TABLE `a` ATTACH PARTITION ALL FROM realservices_seeds.`a`"]}
    assert info["replay"]["refusal"] == ""


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "CREATE TABLE test.b (x Int32) ENGINE = Memory",
            "the statement in line 2 of app/schema.sql cannot be run in another database: Code: 57",
        ),
        (
            "CREATE TABLE IF NOT EXISTS test.b (x Int32) ENGINE = Memory",
            "run again in another database it leads to other tables: b",
        ),
        ("CREATE VIEW v AS SELECT x FROM test.a", "the view v names its database 'test'"),
        (
            "CREATE MATERIALIZED VIEW v TO a AS SELECT x FROM test.a",
            "a or what reads from it names its database 'test'",
        ),
        (
            "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY x AS SELECT x FROM a; "
            "CREATE MATERIALIZED VIEW w TO a AS SELECT x FROM v WHERE x > 5; INSERT INTO a VALUES (1)",
            "v has rows and a materialized view reads from it, but its engine MaterializedView cannot share parts",
        ),
        (
            "CREATE TABLE l (x Int32) ENGINE = TinyLog; CREATE MATERIALIZED VIEW v TO a AS SELECT x FROM l; INSERT INTO l VALUES (1)",
            "l has rows and a materialized view reads from it, but its engine TinyLog cannot share parts",
        ),
    ],
)
def test_a_schema_that_cannot_be_run_in_another_database(build: TemplateBuild, sql: str, reason: str) -> None:
    assert reason in build.script(TABLE + sql).info()["replay"]["refusal"]


def test_what_belongs_to_the_server_is_not_run_again(build: TemplateBuild) -> None:
    sql = "CREATE FUNCTION plus_one AS (x) -> x + 1; CREATE DATABASE IF NOT EXISTS second; OPTIMIZE TABLE a; SELECT plus_one(1);"
    replay = build.script(TABLE + sql).info()["replay"]
    assert replay["statements"] == [TABLE.rstrip(";\n")]
    assert replay["refusal"] == ""


def test_rows_that_a_statement_of_the_schema_makes_are_not_doubled(build: TemplateBuild) -> None:
    replay = build.script("CREATE TABLE b ENGINE = MergeTree ORDER BY n AS SELECT number AS n FROM numbers(3)").info()[
        "replay"
    ]
    attach = "ALTER TABLE `b` ATTACH PARTITION ALL FROM realservices_seeds.`b`"
    assert replay["copies"] == {"b": ["TRUNCATE TABLE `b`", attach]}


@pytest.mark.parametrize(("source", "expected"), [("TABLE 'a'", True), ("TABLE 'a' USER 'me' PASSWORD 'x'", False)])
def test_dictionaries_of_the_same_server_are_noticed(build: TemplateBuild, source: str, expected: bool) -> None:
    sql = f"CREATE DICTIONARY d (x UInt64) PRIMARY KEY x SOURCE(CLICKHOUSE({source})) LAYOUT(FLAT()) LIFETIME(0)"
    assert build.script(TABLE + sql).info()["has_local_dictionaries"] is expected


def test_the_archive_is_a_tar(build: TemplateBuild, tmp_path: Path) -> None:
    sql = "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY x AS SELECT x FROM a; INSERT INTO a VALUES (1);"
    build.script(TABLE + sql).info()
    unpack_archive(str(build.archive), str(tmp_path / "own"))
    with tarfile.open(build.archive) as archive:
        archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)  # CPython has it from 3.11.4 on.
        archive.extractall(tmp_path / "tars")
    assert tree(tmp_path / "own") == tree(tmp_path / "tars")
    # The table within a view has a long name.
    assert max(map(len, tree(tmp_path / "own"))) > 100
    assert "status" not in tree(tmp_path / "own")


def tree(root: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        content: bytes | str = (
            os.readlink(path) if path.is_symlink() else "directory" if path.is_dir() else path.read_bytes()
        )
        found[str(path.relative_to(root))] = content
    return found


def test_a_path_that_is_too_long_for_the_archive(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ("x" * 150)).touch()
    with pytest.raises(ValueError, match=r"^x+: this path in the data directory is too long for the archive$"):
        write_data_archive(str(tmp_path / "data"), str(tmp_path / "data.tar"))


def test_file_that_is_no_library(build: TemplateBuild, tmp_path: Path) -> None:
    file = tmp_path / "libchdb.so"
    file.write_text("no library at all")
    refusal = build.option("--server", str(file)).refusal()
    assert re.search(r"ClickHouse does not start; it exited with code 127\. It says:\n +/", refusal), refusal
    assert f"{file} is not ClickHouse's engine: " in refusal
    assert f"Take the libchdb.so of `{INSTALL}`" in refusal


def test_engine_says_what_it_does_not_take() -> None:
    command = host_command(str(places.clickhouse_server()), ("--no_such_option=1", "--query=SELECT 1"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Unrecognized option '--no_such_option=1'" in done.stderr


@pytest.mark.parametrize(
    ("version", "shown"),
    [("", "from before 26.7"), ("26.5.3", "26.5.3"), ("26.6.0-stable.2", "26.6.0-stable.2"), ("4.1.2", "4.1.2")],
)
def test_engine_that_is_too_old(version: str, shown: str) -> None:
    assert complaint_of("/x/libchdb.so", version) == (
        f"/x/libchdb.so is ClickHouse's engine (chdb) {shown}, which has no HTTP and native listeners of its own; 26.7 "
        f"or later is needed. Get the libchdb.so of `{INSTALL}` and name that in REALSERVICES_CLICKHOUSE, or name a "
        "clickhouse program"
    )


@pytest.mark.parametrize("version", ["26.7.0", "26.7.3", "26.10.1", "27.1.0-stable.1"])
def test_engine_that_is_new_enough(version: str) -> None:
    assert complaint_of("/x/libchdb.so", version) == ""


@pytest.mark.parametrize("stream", ["1", "2"])
def test_executable_that_ends_early_is_quoted(build: TemplateBuild, tmp_path: Path, stream: str) -> None:
    program = tmp_path / "clickhouse"
    program.write_text(f"#!/bin/sh\necho 'Cannot read the moon.' >&{stream}\nexit 3\n")
    program.chmod(0o755)
    assert "ClickHouse does not start; it exited with code 3. It says:\n    Cannot read the moon.\n" in (
        build.option("--server", str(program)).refusal()
    )


def test_an_ordinary_executable_is_given_a_whole_configuration(tmp_path: Path) -> None:
    """Nothing here runs such an executable: none that is recent comes through a package registry."""
    server = tmp_path / "clickhouse"
    server.touch()
    assert not is_library(str(server))
    command = write_configuration(
        str(tmp_path),
        server=str(server),
        data="/data",
        ports={"http": 1, "tcp": 2},
        account=("me", "secret"),
        database="test",
        settings={"max_threads": "2"},
        server_settings={"macro": "<&>"},
        local_dictionaries=False,
    )
    assert command == [str(server), "server", f"--config-file={tmp_path}/config.xml"]
    config = (tmp_path / "config.xml").read_text()
    for element in (
        "<path>/data</path>",
        "<http_port>1</http_port>",
        "<tcp_port>2</tcp_port>",
        "<macro>&lt;&amp;&gt;</macro>",
    ):
        assert element in config
    users = (tmp_path / "users.xml").read_text()
    assert "<default><no_password>" not in users
    assert "secret" not in users
    assert "<max_threads>2</max_threads>" in users


def test_a_library_is_known_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "libchdb.so").touch()
    (tmp_path / "server").symlink_to("libchdb.so")
    assert is_library(str(tmp_path / "server"))
