"""What each worker of pytest-xdist has for itself, seen by two that run these tests at the same time (--dist=each)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import redis

from tests.sources.meeting import meet

if TYPE_CHECKING:
    from realservices.kinds.redis.isolation.clients import IsolatedRedisSync


def test_programs_of_two_workers_do_not_meet_in_redis(isolated_redis_sync: IsolatedRedisSync, worker_id: str) -> None:
    program: Any = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    assert program.keys() == []
    meet(worker_id, "begun")
    program.set("owner", worker_id)
    listener = program.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    meet(worker_id, "subscribed")
    assert program.publish("news", worker_id) == 1, "another worker listens, too"
    program.config_set("maxmemory-samples", 7 if worker_id == "gw0" else 8)
    meet(worker_id, "written")
    assert program.get("owner") == worker_id
    assert program.config_get("maxmemory-samples") == {"maxmemory-samples": "7" if worker_id == "gw0" else "8"}
    isolated_redis_sync.set("owner", "the test")
    assert program.get("owner") == worker_id
    listener.close()
    program.close()


def test_what_another_workers_test_has_changed_is_undone(isolated_redis_sync: IsolatedRedisSync) -> None:
    # Also where it did so at the moment when a test of the other worker began.
    assert isolated_redis_sync.config_get("maxmemory-samples") == {"maxmemory-samples": "5"}


def test_all_variables_name_this_workers_services(isolated_redis_sync: IsolatedRedisSync, worker_id: str) -> None:
    assert worker_id in os.environ["TEST_POSTGRES_DB"]
    assert os.environ["BOTH"] == f"{os.environ['DATABASE_URL']} {os.environ['REDIS_URL']}"
    assert f":{os.environ['TEST_REDIS_PORT']}/" in isolated_redis_sync.url
