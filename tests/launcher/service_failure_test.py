"""Services that do not start, and services that die: the test fails, soon, and says which one and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.host import places
from tests.launcher.launched import Launched, postgres, redis
from tests.services.queries import QueryError, backend_in, sql

# A server that exits at once is noticed at once; the limit only says "not after some time-out".
_QUICK_S = 20.0


def test_a_wrong_redis_setting_fails_the_test_at_once(tmp_path: Path) -> None:
    begin = time.monotonic()
    with Launched(tmp_path / "run", [redis(maxmemory="plenty")]) as launched:
        assert launched.wait() == 1
        assert time.monotonic() - begin < _QUICK_S
        assert (
            "realservices: //app:app_test: service 'cache' (//app:cache) exited with code 1 after 0." in launched.output
        )
        assert "before it was ready\n  its last log lines:\n" in launched.output
        assert "'maxmemory plenty'" in launched.output.replace('"', "'")
        assert "Traceback" not in launched.output


def test_a_wrong_postgres_setting_fails_the_test_at_once(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(work_mem="plenty"), redis()], template=template) as launched:
        assert launched.wait() == 1
        assert "service 'db' (//app:db) exited with code 1 after 0." in launched.output
        assert 'invalid value for parameter "work_mem": "plenty"' in launched.output


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Launched(
        tmp_path / "run", [{**redis(), "config": {**redis()["config"], "server": "redis/missing"}}]
    ) as launched:
        assert launched.wait() == 1
        assert "service 'cache' (//app:cache) exited with code 127" in launched.output
        assert f"cannot start {launched.runfiles}/redis/missing: [Errno 2] No such file or directory" in launched.output


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [postgres()]) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert f"service 'db' (//app:db): cannot read {launched.runfiles}/template/db.json" in launched.output


def test_a_damaged_template_is_named(tmp_path: Path, template: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "db.tar").write_bytes((template / "db.tar").read_bytes()[:1_000_000])
    info = json.loads((template / "db.json").read_text("utf-8")) | {"digest": f"damaged{os.getpid()}"}
    (damaged / "db.json").write_text(json.dumps(info), "utf-8")
    with Launched(tmp_path / "run", [postgres()], template=damaged) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert "service 'db' (//app:db) could not be started: the archive of a template is not unpacked: " in (
            launched.output
        )
        assert f"{damaged}/db.tar, member 'base/" in launched.output
        assert "is it truncated?; remove this file" in launched.output


def test_what_needs_a_failed_service_is_not_started(tmp_path: Path) -> None:
    services = [redis("first", maxmemory="plenty"), redis("second", needs=["first"])]
    with Launched(tmp_path / "run", services) as launched:
        assert launched.wait() == 1
        assert "service 'first'" in launched.output
        assert "service 'second'" not in launched.output
        assert launched.written("outputs/second.log") == ""


def test_services_start_in_the_order_of_their_needs(tmp_path: Path, template: Path) -> None:
    services = [postgres("db"), redis("cache", needs=["db"])]
    with Launched(tmp_path / "run", services, template=template) as launched:
        endpoints = launched.endpoints
        db_ready = Path(endpoints["db"]["log"]).stat().st_mtime_ns
        cache_started = Path(endpoints["cache"]["socket"]).stat().st_ctime_ns
        assert db_ready <= cache_started
        launched.finish()


@pytest.mark.parametrize("name", ["db", "cache"])
def test_a_death_during_a_test_that_passes_fails_it(tmp_path: Path, template: Path, name: str) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        os.kill(_pid(launched, name), signal.SIGKILL)
        launched.await_state(name, "failed")
        assert launched.finish(0) == 1
        cause = (
            f"realservices: //app:app_test: service '{name}' (//app:{name}) was killed by SIGKILL while the test ran, "
        )
        assert cause in launched.output
        assert "ready to accept connections" in launched.output.lower()
        other = {"db": "cache", "cache": "db"}[name]
        assert f"service '{other}'" not in launched.output


def test_the_programs_own_failure_is_not_hidden_by_the_services(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        os.kill(_pid(launched, "cache"), signal.SIGKILL)
        launched.await_state("cache", "failed")
        assert launched.finish(3) == 3
        assert "service 'cache' (//app:cache) was killed by SIGKILL" in launched.output


def test_a_program_that_hangs_on_a_dead_service_is_ended(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        os.kill(_pid(launched, "cache"), signal.SIGKILL)
        begin = time.monotonic()
        assert launched.wait() == 128 + signal.SIGKILL
        assert time.monotonic() - begin < _QUICK_S
        assert "service 'cache' (//app:cache) was killed by SIGKILL while the test ran" in launched.output


def test_a_crash_of_a_worker_is_the_servers_business(tmp_path: Path, template: Path) -> None:
    # PostgreSQL restarts itself after the crash of a backend: the service has not died.
    with Launched(tmp_path / "run", [postgres()], template=template) as launched:
        url = launched.endpoints["db"]["url"]
        with subprocess.Popen(
            [places.psql(), "-X", url, "-c", "SELECT pg_sleep(1000)"], stderr=subprocess.PIPE
        ) as client:
            os.kill(backend_in(_pid(launched, "db"), "SELECT"), signal.SIGKILL)
            _, words = client.communicate(timeout=60)
        assert b"server closed the connection unexpectedly" in words
        assert _query_until_answered(url, "SELECT name FROM items") == "seeded"
        launched.await_state("db", "ready")
        assert launched.finish() == 0


def test_an_orderly_end_that_nobody_asked_for_is_a_death_too(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        os.kill(_pid(launched, "cache"), signal.SIGTERM)
        launched.await_state("cache", "failed")
        assert launched.finish() == 1
        assert "service 'cache' (//app:cache) exited with code 0 while the test ran" in launched.output


def test_only_the_last_lines_of_a_long_log_are_shown(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(log_statement="all")], template=template) as launched:
        sql(launched.endpoints["db"]["url"], *(f"SELECT 'number {number}'" for number in range(100)))
        os.kill(_pid(launched, "db"), signal.SIGKILL)
        launched.await_state("db", "failed")
        launched.finish()
        assert launched.output.count("\n    ") == 20
        assert "number 99'" in launched.output
        assert "number 50'" not in launched.output
        assert "number 50'" in launched.written("outputs/db.log")


def test_lines_too_long_for_one_read_are_kept_whole(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(log_statement="all")], template=template) as launched:
        sql(launched.endpoints["db"]["url"], f"SELECT length('{'x' * 100_000}')", "SELECT 'after it'")
        launched.finish(1)
        log = launched.written("outputs/db.log")
        assert "x" * 100_000 in log
        assert "after it" in log


def _pid(launched: Launched, name: str) -> int:
    with launched.control() as control:
        pid: int = control.ask("status")["services"][name]["pid"]
        return pid


def _query_until_answered(url: str, query: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return sql(url, query)
        except QueryError:
            continue
    raise AssertionError(f"no answer to {query}")
