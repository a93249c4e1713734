"""The server that a test action gets, spoken to as any program would: by its environment, over HTTP and natively."""

from __future__ import annotations

import os
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import pytest

from realservices.clients.service_control import ServiceControl
from tests.services.clickhouse.native import login

OWN = {"user": os.environ["TEST_CLICKHOUSE_USER"], "password": os.environ["TEST_CLICKHOUSE_PASSWORD"]}


def ask(sql: str, *, service: str = "EVENTS", account: dict[str, str] | None = None, **parameters: str) -> str:
    """Run a query over HTTP as a program with nothing but its environment."""
    url = os.environ[f"REALSERVICES_{service}_URL"]
    account = OWN if account is None else account
    if account is OWN:
        user, password = url.split("//")[1].split("@")[0].split(":")
        account = {"user": user, "password": password}
    base = f"http://127.0.0.1:{os.environ[f'REALSERVICES_{service}_PORT']}/?"
    request = urllib.request.Request(base + urlencode({"database": "test", **account, **parameters}), sql.encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def refusal_of(sql: str, **arguments: Any) -> str:
    """Run a query that must be refused, and return the server's words."""
    try:
        answer = ask(sql, **arguments)
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    raise AssertionError(f"{sql} was answered: {answer}")


def test_the_schema_and_the_rows_are_there() -> None:
    tables = ask("SELECT name FROM system.tables WHERE database = 'test' AND name NOT LIKE '.%' ORDER BY name").split()
    views = ["active_users", "country_names", "events_per_day", "kinds"]
    assert tables == sorted([*views, "countries", "events", "notes", "per_day", "users"])
    assert ask("SELECT name FROM users ORDER BY id") == "ann\nbob;\n"
    assert ask("SELECT kind, countMerge(n) FROM per_day GROUP BY kind") == 'it\\\'s; a "kind"\t1\n'
    assert ask("SELECT count() FROM kinds") == "1\n"
    assert ask("SELECT name, n FROM active_users") == "ann\t1\n"
    assert ask("SELECT * FROM notes") == "first\n"


def test_a_dictionary_reads_a_table_of_the_same_server() -> None:
    assert ask("SELECT dictGet('country_names', 'name', tuple('nl'))") == "Netherlands\n"


def test_settings_of_queries_and_of_the_server() -> None:
    assert ask("SELECT getSetting('max_threads'), getSetting('max_execution_time')") == "2\t55\n"
    assert ask("SELECT value FROM system.server_settings WHERE name = 'max_concurrent_queries'") == "77\n"
    assert ask("SELECT getSetting('max_execution_time')", service="EMPTY") == "0\n"


def test_the_environment_leads_to_the_first_service() -> None:
    assert os.environ["CLICKHOUSE_URL"] == os.environ["REALSERVICES_EMPTY_URL"]
    assert os.environ["TEST_CLICKHOUSE_HTTP_PORT"] == os.environ["REALSERVICES_EMPTY_HTTP_PORT"]
    assert os.environ["TEST_CLICKHOUSE_TCP_PORT"] == os.environ["REALSERVICES_EMPTY_TCP_PORT"]
    assert os.environ["TEST_CLICKHOUSE_DB"] == "test"
    assert os.environ["TEST_CLICKHOUSE_HOST"] == "127.0.0.1"
    with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['TEST_CLICKHOUSE_HTTP_PORT']}/ping") as answer:
        assert answer.read() == b"Ok.\n"


def test_clickhouse_connect_takes_the_url_as_it_is() -> None:
    with clickhouse_connect.get_client(dsn=os.environ["REALSERVICES_EVENTS_URL"]) as client:
        assert client.database == "test"
        assert client.query("SELECT id, name FROM users ORDER BY id").result_rows == [(1, "ann"), (2, "bob;")]


def test_the_native_port_speaks_the_native_protocol() -> None:
    assert login(int(os.environ["TEST_CLICKHOUSE_TCP_PORT"]), **OWN) == "ClickHouse"


def test_nobody_gets_in_without_the_password() -> None:
    assert "Authentication failed" in refusal_of("SELECT 1", account={"user": OWN["user"]})
    assert "Authentication failed" in refusal_of("SELECT 1", account={"user": OWN["user"], "password": "no"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "INSERT INTO FUNCTION file('/tmp/made_by_default', 'TSV', 'a String') SELECT 'x'",
        "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')",
        "SELECT query FROM system.processes",
        "CREATE TABLE default.x (a Int32) ENGINE = Memory",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
    ],
)
def test_default_has_no_rights(sql: str) -> None:
    assert "ACCESS_DENIED" in refusal_of(sql, account={"user": "default"})


def test_default_reads_tables_only_where_a_dictionary_must() -> None:
    assert ask("CREATE TABLE secrets (a Int32) ENGINE = MergeTree ORDER BY a", service="EMPTY") == ""
    assert "ACCESS_DENIED" in refusal_of("SELECT * FROM secrets", service="EMPTY", account={"user": "default"})
    assert ask("SELECT count() FROM users", account={"user": "default"}) == "2\n"
    assert "ACCESS_DENIED" in refusal_of("INSERT INTO users VALUES (9, 'x')", account={"user": "default"})


def test_no_password_is_on_the_command_line_or_readable_by_others() -> None:
    for service in ("EVENTS", "EMPTY"):
        secret = os.environ[f"REALSERVICES_{service}_URL"].split(":")[2].split("@")[0]
        shown = b" ".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")).decode(errors="replace")
        assert "libchdb.so" in shown
        assert secret not in shown
    private = Path(os.environ["REALSERVICES_RUNTIME"]).parent
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    users = list(private.glob("*/users.xml"))
    assert len(users) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in users} == {0o600}
    assert all(OWN["password"] not in path.read_text() for path in users)


def test_only_loopback_is_listened_on() -> None:
    ports = {
        int(os.environ[f"REALSERVICES_{service}_{kind}_PORT"])
        for service in ("EVENTS", "EMPTY")
        for kind in ("HTTP", "TCP")
    }
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = {(fields[1].split(":")[0], int(fields[1].split(":")[1], 16)) for fields in lines if fields[3] == "0A"}
    assert {(address, port) for address, port in listening if port in ports} == {("0100007F", port) for port in ports}


async def test_data_outlives_a_stop_a_kill_and_a_pause(service_control: ServiceControl) -> None:
    ask("CREATE TABLE kept (a Int32) ENGINE = MergeTree ORDER BY a")
    for number, end in enumerate((service_control.stop, service_control.kill), start=1):
        ask(f"INSERT INTO kept VALUES ({number})")
        await end("events")
        with pytest.raises(OSError, match="refused"):
            ask("SELECT 1")
        await service_control.start("events")
        assert ask("SELECT count() FROM kept") == f"{number}\n"
    await service_control.pause("events")
    await service_control.resume("events")
    assert ask("SELECT sum(a) FROM kept") == "3\n"
    ask("DROP TABLE kept SYNC")
