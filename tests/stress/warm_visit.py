"""One session of warm_storm.py: `python warm_visit.py ["killed"] PAUSE_S`."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import asdict

from realservices.sources.services import find_services
from tests.services.queries import redis_call, sql

_ROLES = "SELECT count(*) FROM pg_roles WHERE rolname = 'left_behind'"
_DATABASES = "SELECT count(*) FROM pg_database WHERE datname = 'left_behind'"


def main(is_killed: bool, pause_s: float) -> None:
    """Look for what others have left, leave the same, and end."""
    services = find_services()
    print("warm" if (services.session.directory / "control.sock").exists() else "cold", flush=True)
    postgres, redis = services.endpoint("postgres"), asdict(services.endpoint("redis"))
    assert sql(postgres.url, "SELECT to_regclass('left_behind') IS NULL") == "t"
    assert sql(postgres.url, _ROLES) == sql(postgres.url, _DATABASES) == "0"
    assert sql(postgres.url, "SHOW work_mem") == "4MB"
    assert redis_call(redis, "DBSIZE") == "0"
    assert redis_call(redis, "CONFIG", "GET", "maxmemory").splitlines()[-1] == "0"
    for statement in (
        "CREATE TABLE left_behind ()",
        "CREATE ROLE left_behind",
        "CREATE DATABASE left_behind",
        "ALTER SYSTEM SET work_mem = '9MB'",
        "SELECT pg_reload_conf()",
    ):
        sql(postgres.url, statement)
    redis_call(redis, "SET", "left", "behind")
    redis_call(redis, "CONFIG", "SET", "maxmemory", "7mb")
    time.sleep(pause_s)
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    services.close()


if __name__ == "__main__":
    main(sys.argv[1] == "killed", float(sys.argv[2]))
