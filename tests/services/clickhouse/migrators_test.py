"""Migrators of a ClickHouse template: what they find, and how tests get databases like the one that they have made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.clickhouse.template_build import TemplateBuild

# Sends each argument as a statement, as a client that knows the URL.
_SEND = """
import base64, os, sys, urllib.parse, urllib.request
sys.excepthook = lambda kind, error, traceback: print(error)
url = urllib.parse.urlsplit(os.environ["CLICKHOUSE_URL"])
account = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
for statement in sys.argv[1:]:
    request = urllib.request.Request(
        f"http://{url.hostname}:{url.port}/?database={url.path[1:]}",
        data=statement.encode(),
        headers={"Authorization": f"Basic {account}"},
    )
    urllib.request.urlopen(request)
"""
_TABLE = "CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x"


def _migrator(*statements: str, code: str = _SEND) -> dict[str, Any]:
    arguments = [[word] for word in ("-c", code, *statements)]
    return {"name": "//app:send", "program": sys.executable, "args": arguments}


def _build(directory: Path, *migrators: dict[str, Any], env: dict[str, Any] | None = None) -> TemplateBuild:
    spec = {"migrators": migrators, "env": env or {}, "timeout_s": 60}
    return TemplateBuild(directory).option("--migrate", json.dumps(spec))


def test_they_run_after_the_schema_and_before_the_seeds(tmp_path: Path) -> None:
    build = _build(tmp_path, _migrator("CREATE TABLE b AS first"), _migrator("CREATE TABLE c AS b"))
    build.script("CREATE TABLE first (x Int32) ENGINE = MergeTree ORDER BY x")
    info = build.script("INSERT INTO c VALUES (1)", "--seed").info()
    assert sorted(info["replay"]["copies"]) == ["c"]
    assert (info["replay"]["refusal"], len(info["replay"]["statements"])) == ("", 3)


def test_databases_like_theirs_are_made_in_an_order_that_works(tmp_path: Path) -> None:
    statements = [
        "CREATE TABLE zoo (x UInt64, d String DEFAULT dictGet('dict', 'name', x)) ENGINE = MergeTree ORDER BY x",
        "CREATE VIEW late AS SELECT x FROM zoo",
        "CREATE VIEW early AS SELECT x FROM late",
        "CREATE MATERIALIZED VIEW counted ENGINE = SummingMergeTree ORDER BY x AS SELECT x, count() AS n FROM zoo GROUP BY x",
    ]
    names = "CREATE TABLE names (id UInt64, name String) ENGINE = MergeTree ORDER BY id"
    source = "PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'names')) LAYOUT(FLAT()) LIFETIME(0)"
    dictionary = f"CREATE DICTIONARY dict (id UInt64, name String) {source}"
    rows = "INSERT INTO names VALUES (1, 'owl'); INSERT INTO zoo (x) VALUES (1), (1);"
    info = _build(tmp_path, _migrator(names, dictionary, *statements)).script(rows, "--seed").info()
    assert info["replay"]["refusal"] == ""
    assert info["has_local_dictionaries"] is True
    assert sorted(info["replay"]["copies"]) == ["counted", "names", "zoo"]
    assert not [sql for sql in info["replay"]["statements"] if "test." in sql]


def test_references_stand_for_the_servers_address(tmp_path: Path) -> None:
    def own(field: str, **port: str) -> dict[str, str]:
        return {"service": "", "field": field, **port}

    code = (
        "import os; assert os.environ['A'] == os.environ['B'], os.environ['A']; assert os.environ['T'].isdigit()"
        + _SEND
    )
    url = [
        "http://",
        own("user"),
        ":",
        own("password"),
        "@",
        own("host"),
        ":",
        own("port", port="http"),
        "/",
        own("database"),
    ]
    env = {"A": url, "B": [own("url")], "T": [own("port", port="tcp")]}
    _build(tmp_path, _migrator(_TABLE, code=code), env=env).info()


def test_one_that_fails_is_named_with_its_code_and_last_lines(tmp_path: Path) -> None:
    message = _build(tmp_path, _migrator("CREATE TABLE (")).refusal()
    assert message.startswith("//app:db: migrate: //app:send exited with code 1 after ")
    assert "HTTP Error 400: Bad Request" in message


@pytest.mark.parametrize("code", ["", "pass"])
def test_one_that_asks_nothing_is_refused(tmp_path: Path, code: str) -> None:
    message = _build(tmp_path, _migrator(_TABLE), _migrator(code=code)).refusal()
    assert "migrate: //app:send ended with code 0 and has never connected to this server" in message


def test_a_query_that_goes_on_is_ended(tmp_path: Path) -> None:
    ask = "SELECT sleepEachRow(1) FROM numbers(600) SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1"
    code = _SEND.replace("urllib.request.urlopen(request)", "urllib.request.urlopen(request, timeout=2)")
    code = code.replace("print(error)", "os._exit(0)")
    check = "SELECT throwIf(count() > 0) FROM system.processes WHERE user != '' AND query_id != queryID()"
    _build(tmp_path, _migrator(ask, code=code)).script(check, "--seed").info()
