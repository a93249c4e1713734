"""Database indexes on an external Redis: leased by agreement, and never one whose database holds others' keys."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import pytest
import redis

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.kinds.redis.isolation.leased_index import LeasedIndex
from realservices.kinds.redis.isolation.refusals import ServerWideCommandError
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.contract.runtime import Endpoint


@pytest.fixture
def endpoint() -> Endpoint:
    """The target's own server, as if it were somebody else's."""
    return dataclasses.replace(find_services().endpoint("redis", "foreign"), disposable=False, socket="")


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Callable[[int], Any]]:
    """Make clients with full power; the server is empty afterwards."""
    made: list[Any] = []

    def make(number: int = 0) -> Any:
        address: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port, "password": endpoint.password}
        made.append(redis.Redis(**address, db=number, decode_responses=True))
        return made[-1]

    yield make
    make(0).flushall()
    for each in made:
        each.close()


def test_holders_have_different_numbers_and_give_them_back(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    first, second = LeasedIndex(endpoint), LeasedIndex(endpoint)
    assert (first.claim(), first.claim(), second.claim()) == (1, 1, 2)
    assert first.live_tokens() == {first.token, second.token}
    assert 0 < client(0).pttl("realservices:lease:1") <= 30_000
    first.close()
    third = LeasedIndex(endpoint)
    assert third.claim() == 1
    third.close()
    second.close()
    assert client(0).keys() == []


def test_holder_that_fails_leaves_its_database(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    client(0).acl_setuser(
        "weak", enabled=True, passwords=["+x"], keys=["*"], categories=["+@all"], commands=["-dbsize"]
    )
    weak = dataclasses.replace(endpoint, user="weak", password="x")
    for _ in range(4):  # There are three databases.
        with pytest.raises(IsolationError, match=r"NoPermission.*needs SELECT, SET"):
            LeasedIndex(weak)
    assert client(0).keys("realservices:lease:*") == []
    client(0).acl_deluser("weak")


def test_exhausted_says_who_has_them(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    client(2).set("theirs", 1)
    holders = [LeasedIndex(endpoint), LeasedIndex(endpoint)]
    assert [holder.claim() for holder in holders] == [1, 3]
    message = r"4 databases and none is free: 2 are leased .*, 1 hold keys .*redis-cli -n N FLUSHDB"
    with pytest.raises(IsolationError, match=message):
        LeasedIndex(endpoint)
    assert client(2).get("theirs") == "1"
    for holder in holders:
        holder.close()


def test_keys_of_a_killed_holder_go(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    killed = LeasedIndex(endpoint)
    client(1).set("left", 1)
    client(0).delete("realservices:lease:1")  # As after 30 seconds.
    successor = LeasedIndex(endpoint)
    assert (successor.claim(), client(1).dbsize()) == (1, 0)
    successor.close()
    killed.close()


def test_what_a_killed_holder_left_in_another_number_goes(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    client(0).set("realservices:used:2", client(0).time()[0])
    client(2).set("left", 1)
    successor = LeasedIndex(endpoint)
    assert (successor.claim(), client(2).dbsize()) == (1, 0)
    assert client(0).exists("realservices:used:2", "realservices:lease:2") == 0
    successor.close()


def test_a_living_holders_number_is_not_cleared(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    living, other = LeasedIndex(endpoint), LeasedIndex(endpoint)
    client(2).set("theirs", 1)
    living.close()
    successor = LeasedIndex(endpoint)
    assert (other.claim(), successor.claim(), client(2).get("theirs")) == (2, 1, "1")
    assert client(0).exists("realservices:used:2", "realservices:lease:2") == 2
    client(2).flushdb()
    successor.close()
    other.close()


def test_keys_written_after_a_killed_holder_stay(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    client(0).set("realservices:used:1", client(0).time()[0] - 40)
    client(1).set("theirs", 1)
    successor = LeasedIndex(endpoint)
    assert (successor.claim(), client(1).get("theirs")) == (2, "1")
    successor.close()


def test_a_lease_is_renewed_and_its_loss_noticed(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    holder = LeasedIndex(endpoint)
    client(0).pexpire("realservices:lease:1", 1000)
    holder._renew_once()
    assert client(0).pttl("realservices:lease:1") > 20_000
    client(0).delete("realservices:lease:1")
    holder._renew_once()
    assert holder.claim() == 1
    client(0).set("realservices:lease:1", "another")
    holder._renew_once()
    with pytest.raises(IsolationBrokenError, match="lost its database index 1"):
        holder.claim()
    holder.close()
    assert client(0).get("realservices:lease:1") == "another"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": "wrong"}, "Correct TEST_REDIS_PASSWORD"),
        ({"password": ""}, "Correct TEST_REDIS_PASSWORD"),
        ({"port": 1}, "TEST_REDIS_HOST must be a Redis that serves"),
    ],
)
def test_what_the_server_refuses(endpoint: Endpoint, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(IsolationError, match=message):
        LeasedIndex(dataclasses.replace(endpoint, **changes))


def test_one_database_is_too_few(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    # As a Redis Cluster, and a hosted server that hides its settings.
    client(0).acl_setuser("one", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-config"])
    client(0).execute_command("ACL", "SETUSER", "one", "-select")
    with pytest.raises(IsolationError, match=r"needs SELECT|has 1 database"):
        LeasedIndex(dataclasses.replace(endpoint, user="one", password="x"))
    client(0).acl_deluser("one")


@pytest.fixture
def guarded(endpoint: Endpoint, client: Callable[[int], Any]) -> Iterator[RedisIsolation]:
    """An isolation where no accounts can be made, as with Redis 5."""
    client(0).execute_command("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-acl", "-config")
    isolation = RedisIsolation(dataclasses.replace(endpoint, user="plain", password="secret"), "")
    yield isolation
    isolation.close()
    client(0).execute_command("ACL", "DELUSER", "plain")


@pytest.mark.parametrize("command", ["FLUSHALL", "SELECT 0", "SWAPDB 0 1", "CLIENT KILL TYPE normal", "RESET"])
async def test_clients_guard_themselves_where_no_account_can_be_made(
    guarded: RedisIsolation, client: Callable[[int], Any], command: str
) -> None:
    client(0).set("theirs", 1)
    lease = guarded.lease()
    assert lease.is_guarded
    async with guarded.client_in_loop(lease) as asynchronous:
        await asynchronous.set("a", 1)
        with pytest.raises(ServerWideCommandError, match="refused by isolated_redis itself"):
            await asynchronous.execute_command(*command.split())
        async with asynchronous.pipeline() as pipeline:
            queued: Any = pipeline.set("b", 1)
            queued.execute_command(*command.split())
            with pytest.raises(redis.exceptions.NoPermissionError):
                await queued.execute()
    with guarded.client_sync(lease) as blocking:
        assert blocking.get("a") == "1"
        with pytest.raises(ServerWideCommandError):
            blocking.execute_command(*command.split())
    with redis.Redis.from_url(lease.url) as other:
        assert other.get("a") == b"1"
    guarded.release(lease)
    assert (client(lease.database_index).dbsize(), client(0).get("theirs")) == (0, "1")


async def test_no_connection_of_a_guarded_client_outlives_its_test(guarded: RedisIsolation) -> None:
    first = guarded.lease()
    with guarded.client(first) as client:
        await client.set("a", 1)
    guarded.release(first)
    second = guarded.lease()
    with guarded.client(second) as client:
        assert await client.get("a") is None
    guarded.release(second)
    await guarded.close_loop()


def test_accounts_of_killed_processes_go(endpoint: Endpoint, client: Callable[[int], Any]) -> None:
    dead, others = f"realservices-{'d' * 16}", f"realservices-{os.getpid()}-12345678"
    for user in (dead, f"{dead}-client", others):
        client(0).execute_command("ACL", "SETUSER", user, "on")
    living, isolation = RedisIsolation(endpoint, ""), RedisIsolation(endpoint, "")
    left = set(client(0).acl_users())
    assert {dead, f"{dead}-client"}.isdisjoint(left)
    assert others in left
    assert living.lease().user in left
    living.close()
    isolation.close()
    assert set(client(0).acl_users()) == {"default", others}
    client(0).execute_command("ACL", "DELUSER", others)
