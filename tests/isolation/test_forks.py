"""In a forked child blocking clients work or are refused at once, and the child's end does its parent no harm."""

from __future__ import annotations

import asyncio
import atexit
import os
from typing import TYPE_CHECKING, Any

import pytest

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.isolation_manager import IsolationManager, process_manager
from realservices.isolation.own_process import ForkedProcessError, OwnProcess
from realservices.kinds.postgres.isolated import postgres_of
from realservices.kinds.redis.isolated import redis_of
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.sources.services import find_services
from tests.isolation.forks import in_child, in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

# Python 3.12 and later warn of a fork where threads run, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture
def redis_isolation() -> Iterator[RedisIsolation]:
    """An isolation of the test's own."""
    services = find_services()
    made = RedisIsolation(services.endpoint("redis"), services.private)
    yield made
    made.close()


def test_the_process_that_has_made_something() -> None:
    mark = OwnProcess()
    mark.require("it", "")
    assert mark.is_this
    answer = in_child(lambda: mark.require("it", "Make another."))
    assert answer.startswith("realservices.isolation.own_process.ForkedProcessError: it belongs to process ")
    assert f"process {os.getpid()}, and cannot be used in process" in answer
    assert answer.endswith("threads and connections serve one process. Make another.\n")


# PostgreSQL


def test_a_transaction_is_refused_and_goes_on_in_the_parent(isolated_database_sync: Any) -> None:
    isolated_database_sync.execute("CREATE TABLE items (id int)")
    answer = in_child(lambda: isolated_database_sync.fetchval("SELECT 1"))
    assert "ForkedProcessError: <blocking " in answer
    assert "cloned_database.connect_sync()" in answer
    assert "ForkedProcessError" in in_child(lambda: isolated_database_sync.terminate())
    assert "ForkedProcessError" in in_child(lambda: list(isolated_database_sync.cursor("SELECT 1")))
    assert "ForkedProcessError" in in_child(lambda: isolated_database_sync.transaction().__enter__())
    assert isolated_database_sync.fetchval("SELECT count(*) FROM items") == 0


def test_a_cursor_made_before_the_fork_is_refused(isolated_database_sync: Any) -> None:
    with isolated_database_sync.transaction() as _:
        cursor = isolated_database_sync.cursor("SELECT generate_series(1, 3)")
        assert "ForkedProcessError" in in_child(lambda: list(cursor))
        assert [row[0] for row in cursor] == [1, 2, 3]


def test_a_child_connects_to_the_database_by_itself(cloned_database: Any) -> None:
    connection = cloned_database.connect_sync()
    connection.execute("CREATE TABLE items (id int)")

    def insert() -> Any:
        own = cloned_database.connect_sync()
        own.execute("INSERT INTO items VALUES (1)")
        return own.fetchval("SELECT count(*) FROM items")

    assert in_child(insert) == "1"
    assert "ForkedProcessError" in in_child(lambda: connection.fetchval("SELECT 1"))
    assert in_process(insert) == 0
    assert connection.fetchval("SELECT count(*) FROM items") == 2


async def test_a_child_of_an_asynchronous_test_connects_by_itself(cloned_database: Any) -> None:
    connection = await cloned_database.connect()
    assert in_child(lambda: cloned_database.connect_sync().fetchval("SELECT 1")) == "1"
    assert await connection.fetchval("SELECT 2") == 2


def test_a_childs_child_has_a_loop_of_its_own() -> None:
    background = BackgroundLoop()
    assert background.of_this_process() is background

    def both() -> bool:
        first = background.of_this_process()
        assert first is background.of_this_process()
        assert first.run(asyncio.sleep(0, 1)) == 1
        return in_child(lambda: background.of_this_process().run(asyncio.sleep(0, 2))) == "2"

    assert in_child(both) == "True"
    assert "ForkedProcessError" in in_child(lambda: background.run(asyncio.sleep(0)))
    assert in_child(background.stop) == "None"


# Redis


def test_a_child_has_redis_connections_of_its_own(isolated_redis_sync: Any, isolated_redis_bytes_sync: Any) -> None:
    isolated_redis_sync.set("a", "1")

    def use() -> Any:
        isolated_redis_sync.set("child", isolated_redis_sync.client_id())
        return isolated_redis_bytes_sync.get("a")

    assert in_child(use) == "b'1'"
    assert int(isolated_redis_sync.get("child")) != isolated_redis_sync.client_id()
    assert in_process(use) == 0
    assert isolated_redis_sync.get("a") == "1"


def test_a_kept_redis_connection_stays_the_parents(redis_isolation: RedisIsolation) -> None:
    lease = redis_isolation.lease()
    with redis_isolation.client_sync(lease) as client:
        number = client.client_id()
    redis_isolation.release(lease)
    lease = redis_isolation.lease()
    with redis_isolation.client_sync(lease) as client:
        # The parent has not used it yet: in its pool lies the connection of the test before.
        assert in_child(lambda: client.set("a", 1)) == "True"
        assert client.get("a") == "1"
        assert client.client_id() == number
    redis_isolation.release(lease)


def test_a_childs_redis_connection_ends_with_the_test(redis_isolation: RedisIsolation) -> None:
    lease = redis_isolation.lease()
    with redis_isolation.client_sync(lease) as client:
        assert in_child(lambda: client.acl_whoami()) == lease.user
    redis_isolation.release(lease)


def test_a_lease_is_the_parents(redis_isolation: RedisIsolation) -> None:
    lease = redis_isolation.lease()
    with redis_isolation.client_sync(lease) as client:
        client.set("a", 1)
        assert "a test's database of Redis belongs to process" in in_child(lambda: redis_isolation.release(lease))
        assert client.get("a") == "1"
    redis_isolation.release(lease)


async def test_an_asyncio_client_is_refused_in_a_child(isolated_redis: Any) -> None:
    await isolated_redis.set("a", 1)
    answer = in_child(lambda: isolated_redis.get("a").send(None))
    assert "ForkedProcessError: isolated_redis belongs to process" in answer
    assert "isolated_redis_sync, or a client made by .url" in answer
    assert await isolated_redis.get("a") == "1"


# Everything of a process


def test_a_child_gets_a_manager_of_its_own_and_leaves_its_parents(isolated_redis_sync: Any) -> None:
    ours = process_manager()
    isolated_redis_sync.set("a", 1)

    def use() -> Any:
        theirs = process_manager()
        assert theirs is not ours
        assert theirs is process_manager()
        redis = redis_of(theirs)
        lease = redis.lease()
        with redis.client_sync(lease) as client:
            assert client.dbsize() == 0
        redis.release(lease)
        with postgres_of(theirs).cloned_database() as database:
            value = database.connect_sync().fetchval("SELECT 1")
        theirs.close()
        ours.close()
        atexit._run_exitfuncs()
        return value, lease.database_index != isolated_redis_sync.database_index

    assert in_child(use) == "(1, True)"
    assert isolated_redis_sync.get("a") == "1"
    assert process_manager() is ours


def test_exit_handlers_of_a_child_leave_what_the_parent_has() -> None:
    manager = IsolationManager(find_services())
    with postgres_of(manager).cloned_database() as database:
        connection = database.connect_sync()
        assert in_child(manager.close) == "None"
        assert connection.fetchval("SELECT 1") == 1
    redis = redis_of(manager)
    lease = redis.lease()
    assert in_process(manager.close) == 0
    redis.release(lease)
    manager.close()


def test_a_child_that_stays_holds_no_lock_of_its_parent() -> None:
    services = find_services()
    isolation = RedisIsolation(services.endpoint("redis"), services.private)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:  # It ends when it is told to, long after the parent has left its database indexes to others.
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    try:
        held = isolation._indexes
        isolation.close()
        another = RedisIsolation(services.endpoint("redis"), services.private)
        assert another._indexes.range == held.range  # type: ignore[attr-defined]
        another.close()
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)


# Files, and the launcher


def test_files_and_control_work_in_a_child(filesystem_sync: Any, service_control_sync: Any) -> None:
    filesystem_sync.create_file("a", "1")
    assert in_child(lambda: filesystem_sync.read_file("a")) == "1"
    assert in_child(lambda: sorted(service_control_sync.status())) == str(sorted(service_control_sync.status()))


def test_the_words_name_an_error_that_can_be_caught() -> None:
    mark = OwnProcess()

    def use() -> str:
        with pytest.raises(ForkedProcessError):
            mark.require("it", "")
        return "caught"

    assert in_child(use) == "caught"
