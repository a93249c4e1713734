"""The program under test: when it starts, what it is told, and how its end becomes the test's."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.launched import ANSWERS, QUERY_AT_ONCE, Launched, postgres, redis
from tests.services.queries import redis_call, sql


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_its_exit_code_is_the_tests(tmp_path: Path, code: int) -> None:
    with Launched(tmp_path / "run", []) as launched:
        assert launched.finish(code) == code
        assert launched.output == ""


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL"), (40, "signal 40")]
)
def test_a_signal_that_ends_it_is_named(tmp_path: Path, number: int, name: str) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.tell("die", signal=number)
        assert launched.wait() == 128 + number
        reason, _, timeline = launched.output.partition("realservices: services ready after ")
        assert reason == f"\nrealservices: //app:app_test: the test program was killed by {name}\n"
        assert timeline


def test_arguments_are_passed_on(tmp_path: Path) -> None:
    arguments = ["--flag", "two words", "", "*"]
    with Launched(tmp_path / "run", [], arguments=arguments) as launched:
        assert launched.program.arguments == arguments
        launched.finish()


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], script="#!/no/such/interpreter\n") as launched:
        assert launched.wait() == 127
        program = launched.runfiles / "script"
        assert f"realservices: cannot start {program}: [Errno 2] No such file or directory" in launched.output


def test_services_are_ready_before_it_starts(tmp_path: Path, template: Path) -> None:
    services = [postgres(), redis()]
    with Launched(tmp_path / "run", services, template=template, script=QUERY_AT_ONCE) as launched:
        assert launched.wait() == 0, launched.output
        assert launched.output == ANSWERS


def test_the_environment_contract(tmp_path: Path, template: Path) -> None:
    mapping = {
        "APP_DB": ["db=", {"service": "db", "field": "url"}, "!"],
        "PORT": [{"service": "cache", "field": "port"}],
    }
    own = {"MINE": "kept", "HOME": "/nonexistent", "TMPDIR": "/nonexistent"}
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, mapping=mapping, env=own) as launched:
        env, endpoints = launched.program.environment, launched.endpoints
        db, cache = endpoints["db"], endpoints["cache"]
        assert env["DATABASE_URL"] == db["url"] == env["REALSERVICES_DB_URL"]
        assert env["REDIS_URL"] == cache["url"] == env["REALSERVICES_CACHE_URL"]
        assert (env["TEST_POSTGRES_HOST"], env["TEST_POSTGRES_PORT"]) == ("127.0.0.1", str(db["port"]))
        assert (env["TEST_POSTGRES_USER"], env["TEST_POSTGRES_DB"]) == ("test", "test")
        assert env["APP_DB"] == f"db={db['url']}!"
        assert env["PORT"] == str(cache["port"])
        assert env["MINE"] == "kept"
        assert env["RUNFILES_DIR"] == str(launched.runfiles)
        sandbox = Path(env["REALSERVICES_SANDBOX"])
        assert sandbox.parent == tmp_path / "run" / "tmp"
        for name in ("HOME", "TMPDIR"):
            assert Path(env[name]).parent == sandbox
            assert stat.S_IMODE(os.stat(env[name]).st_mode) == 0o700
        assert sql(env["DATABASE_URL"], "SELECT name FROM items") == "seeded"
        assert redis_call(cache, "PING") == "PONG"
        launched.finish()
        assert not sandbox.exists()


def test_the_targets_own_mapping_has_the_last_word(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], mapping={"REDIS_URL": ["mine"], "HOME": ["/home"]}) as launched:
        assert launched.program.environment["REDIS_URL"] == "mine"
        assert launched.program.environment["HOME"] == "/home"
        launched.finish()


def test_a_mapping_to_no_field_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], mapping={"X": [{"service": "cache", "field": "nope"}]}) as launched:
        assert launched.wait() == 1
        assert launched.output.startswith("realservices: env X: service 'cache' of kind 'redis' has no field 'nope'")
        assert "Traceback" not in launched.output


def test_an_unknown_kind_is_an_error(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [{**redis(), "kind": "kafka"}]) as launched:
        assert launched.wait() == 1
        assert launched.output == (
            "realservices: //app:app_test: unknown kind of service 'kafka'; known are clickhouse, executable, mariadb, postgres, redis\n"
        )


def test_the_runtime_description(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        path = Path(launched.program.environment["REALSERVICES_RUNTIME"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        runtime = json.loads(path.read_text("utf-8"))
        assert runtime.keys() >= {"version", "label", "control", "sandbox", "isolation", "services"}
        assert (runtime["version"], runtime["label"], runtime["isolation"]) == (1, "//app:app_test", "transaction")
        assert list(runtime["services"]) == ["db", "cache"]
        _check_postgres(runtime["services"]["db"])
        _check_redis(runtime["services"]["cache"])
        launched.finish()
        assert not path.parent.exists()


def test_a_service_with_a_long_name(tmp_path: Path, template: Path) -> None:
    # Its unix socket must fit into 107 bytes all the same.
    long = "the_database_of_the_service_that_has_the_longest_name_of_all_in_the_whole_repository_and_beyond"
    with Launched(tmp_path / "run", [postgres(long), redis(long + "_cache")], template=template) as launched:
        assert sql(f"host={launched.endpoints[long]['socket']} port={launched.endpoints[long]['port']} "
                   "user=test dbname=test", "SELECT 1") == "1"  # fmt: skip
        assert launched.finish() == 0


def test_two_services_of_a_kind_are_two_servers(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres("one"), postgres("two")], template=template) as launched:
        one, two = launched.endpoints["one"], launched.endpoints["two"]
        assert launched.program.environment["DATABASE_URL"] == one["url"]
        sql(one["url"], "INSERT INTO items (name) VALUES ('one')")
        assert sql(two["url"], "SELECT count(*) FROM items") == "1"
        assert one["password"] != two["password"]
        launched.finish()


def test_postgres_runs_with_the_targets_settings(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(work_mem="9MB", max_connections="33")], template=template) as launched:
        url = launched.endpoints["db"]["url"]
        assert sql(url, "SHOW work_mem", "SHOW max_connections") == "9MB\n33"
        launched.finish()


def test_redis_runs_with_the_targets_settings(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis(maxmemory="64mb", maxmemory_policy="allkeys-lru")]) as launched:
        cache = launched.endpoints["cache"]
        assert "67108864" in redis_call(cache, "INFO", "memory")
        assert redis_call(cache, "CONFIG", "GET", "maxmemory-policy") == "maxmemory-policy\nallkeys-lru"
        assert redis_call(cache, "CONFIG", "GET", "databases") == "databases\n1024"
        launched.finish()


def _check_postgres(endpoint: dict[str, Any]) -> None:
    expected = {
        "kind", "label", "host", "port", "user", "password", "database", "template_database", "socket", "url", "log"
    }  # fmt: skip
    assert endpoint.keys() >= expected
    assert (endpoint["kind"], endpoint["label"], endpoint["host"]) == ("postgres", "//app:db", "127.0.0.1")
    assert endpoint["template_database"] == "realservices_template"
    assert "ready to accept connections" in Path(endpoint["log"]).read_text("utf-8")
    # No password is asked for on the socket; the template is closed to everybody, and what clones are made from.
    by_socket = f"host={endpoint['socket']} port={endpoint['port']} user=test dbname=test"
    clone = f"CREATE DATABASE clone TEMPLATE {endpoint['template_database']} STRATEGY FILE_COPY"
    assert sql(by_socket, "SELECT current_user", clone) == "test"
    assert sql(by_socket.replace("dbname=test", "dbname=clone"), "SELECT name FROM items") == "seeded"


def _check_redis(endpoint: dict[str, Any]) -> None:
    expected = {"kind", "label", "host", "port", "password", "database", "databases", "socket", "url", "log"}
    assert endpoint.keys() >= expected
    assert (endpoint["kind"], endpoint["database"], endpoint["databases"]) == ("redis", 0, 1024)
    assert stat.S_ISSOCK(os.stat(endpoint["socket"]).st_mode)
