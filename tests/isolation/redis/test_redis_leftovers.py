"""What a test leaves in the whole Redis server is gone for the next one; what was there before stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

from realservices.isolation.errors import IsolationBrokenError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.kinds.redis.isolation.leftovers import Leftovers
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.control.client import BlockingServiceControl

_CODE = "#!lua name={name}\nredis.register_function('answer_{name}', function() return 1 end)"
_LEFT: list[tuple[Any, ...]] = [
    ("CONFIG", "SET", "maxmemory", "100mb", "notify-keyspace-events", "KEA"),
    ("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 1mb 7"),
    ("ACL", "SETUSER", "app", "on", ">pw", "~a:*", "+@all", "(~b:* +get)"),
    ("ACL", "SETUSER", "default", "-flushall"),
    ("FUNCTION", "LOAD", _CODE.format(name="mine")),
    ("FUNCTION", "LOAD", "REPLACE", _CODE.format(name="service").replace("return 1", "return 2")),
    ("FUNCTION", "DELETE", "service"),
    ("FUNCTION", "FLUSH"),
    ("SCRIPT", "LOAD", "return 'left'"),
    ("EVAL", "return 'left'", 0),
    ("REPLICAOF", "127.0.0.1", "1"),
]


@pytest.fixture
def endpoint() -> Endpoint:
    """The Redis service."""
    return find_services().endpoint("redis")


@pytest.fixture
def program(endpoint: Endpoint) -> Iterator[Any]:
    """A client with full power, on a server that has a library and an account of a service."""
    with redis.Redis.from_url(endpoint.url, protocol=2, decode_responses=True) as client:
        client.script_flush()
        client.function_load(_CODE.format(name="service"))
        client.execute_command("ACL", "SETUSER", "service", "on", ">a", "~*", "&*", "+@read", "(~c:* +@all -@admin)")
        yield client
        client.function_flush()
        client.execute_command("ACL", "DELUSER", "service", "wider")
        client.config_set("maxmemory", 0)


@pytest.fixture
def process(endpoint: Endpoint, tmp_path: Path) -> Iterator[Callable[[], RedisIsolation]]:
    """One process of a session after another."""
    made: list[RedisIsolation] = []

    def new() -> RedisIsolation:
        made.append(RedisIsolation(endpoint, str(tmp_path), leftovers=Leftovers(endpoint, str(tmp_path))))
        return made[-1]

    yield new
    for isolation in made:
        isolation.close()


def _server(program: Any) -> tuple[Any, ...]:
    accounts = [line for line in program.acl_list() if " realservices-" not in line]
    scripts = program.info("memory")["number_of_cached_scripts"]
    return program.config_get("*"), accounts, program.function_list(withcode=True), scripts


@pytest.mark.parametrize("left", _LEFT, ids=lambda left: " ".join(map(str, left[:3])))
def test_it_is_undone(program: Any, process: Callable[[], RedisIsolation], left: tuple[Any, ...]) -> None:
    isolation = process()
    before = _server(program)
    for _ in range(2):
        lease = isolation.lease()
        program.execute_command(*left)
        assert _server(program) != before
        isolation.release(lease)
        assert _server(program) == before


@pytest.mark.parametrize("rights", [("-@dangerous",), ("-@all",), ("resetkeys",), ("off",), ("resetpass", ">other")])
def test_rights_of_the_programs_account_are_given_back(
    program: Any, process: Callable[[], RedisIsolation], rights: tuple[str, ...]
) -> None:
    isolation = process()
    before = _server(program)
    for _ in range(2):
        lease = isolation.lease()
        program.execute_command("ACL", "SETUSER", "default", *rights)
        isolation.release(lease)
        assert _server(program) == before


@pytest.mark.parametrize("head", ['#!lua name="mine"', "#!lua NAME=mine", "#!lua  name=mine"])
def test_libraries_by_the_tests_own_clients(program: Any, process: Callable[[], RedisIsolation], head: str) -> None:
    """They are removed at once, also while another process has a test."""
    others, isolation = process(), process()
    running = others.lease()
    before = _server(program)
    for _ in range(2):
        lease = isolation.lease()
        with isolation.client_sync(lease) as client:
            client.function_load(_CODE.format(name="mine").replace("#!lua name=mine", head))
        isolation.release(lease)
        assert _server(program) == before
    others.release(running)


@pytest.mark.parametrize("name", ["mine", "service"])
def test_a_library_of_a_running_test_is_no_programs(
    program: Any, process: Callable[[], RedisIsolation], name: str
) -> None:
    before = _server(program)
    one, other = process(), process()
    lease = one.lease()
    with one.client_sync(lease) as client:
        client.function_load(_CODE.format(name=name).replace("return 1", "return 3"), replace=True)
    for _ in range(2):
        other.release(other.lease())
    one.release(lease)
    assert _server(program) == before
    for each in (other, one, other):
        each.release(each.lease())
        assert _server(program) == before


def test_a_library_of_two_tests_stays_until_both_have_ended(
    program: Any, process: Callable[[], RedisIsolation]
) -> None:
    before = _server(program)
    one, other = process(), process()
    leases = [(each, each.lease()) for each in (one, other)]
    for isolation, lease in leases:
        with isolation.client_sync(lease) as client:
            client.function_load(_CODE.format(name="mine"), replace=True)
    one.release(leases[0][1])
    with other.client_sync(leases[1][1]) as client:
        assert client.fcall("answer_mine", 0) == 1
    other.release(leases[1][1])
    assert _server(program) == before


def test_what_comes_and_goes_between_two_tests(program: Any, process: Callable[[], RedisIsolation]) -> None:
    isolation = process()
    isolation.release(isolation.lease())
    program.config_set("maxmemory", "50mb")
    program.acl_setuser("wider", enabled=True)
    program.script_load("return 'wider'")
    lease = isolation.lease()
    program.config_set("maxmemory", "70mb")
    program.acl_deluser("wider")
    isolation.release(lease)
    assert program.config_get("maxmemory") == {"maxmemory": str(50 * 2**20)}
    assert "wider" in program.acl_users()
    assert program.info("memory")["number_of_cached_scripts"] == 1
    program.config_set("maxmemory", "0")
    program.acl_deluser("wider")
    program.script_flush()
    isolation.release(isolation.lease())
    assert program.config_get("maxmemory") == {"maxmemory": "0"}
    assert "wider" not in program.acl_users()


@pytest.mark.parametrize("change", ["+flushall", "-get", "off", "nopass", ""])
def test_accounts_of_tests_are_made_anew(program: Any, process: Callable[[], RedisIsolation], change: str) -> None:
    isolation = process()
    before = _server(program)
    for number in range(6):
        lease = isolation.lease()
        with isolation.client_sync(lease) as client:
            assert client.get("a") is None
            assert client.set("a", 1)
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.flushall()
        if number == 2:
            for user in program.acl_users():
                if user.startswith(lease.user.rpartition("-")[0]):
                    program.execute_command(*(("ACL", "SETUSER", user, change) if change else ("ACL", "DELUSER", user)))
        isolation.release(lease)
    assert _server(program) == before


def test_what_has_not_changed_is_not_read_again(program: Any, process: Callable[[], RedisIsolation]) -> None:
    isolation = process()
    isolation.release(isolation.lease())
    names = "config|get", "acl|list", "function|list"

    def calls() -> list[int]:
        counts = program.info("commandstats")
        return [counts.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names]

    before = calls()
    for _ in range(10):
        isolation.release(isolation.lease())
    assert calls() == before


def test_counts_that_begin_anew_hide_nothing(program: Any, process: Callable[[], RedisIsolation]) -> None:
    isolation = process()
    program.config_resetstat()
    for _ in range(2):
        before = _server(program)
        lease = isolation.lease()
        program.config_set("maxmemory", "70mb")
        program.acl_setuser("mine", enabled=True)
        program.config_resetstat()
        isolation.release(lease)
        assert _server(program) == before


def test_nothing_is_undone_while_another_process_has_a_test(
    program: Any, process: Callable[[], RedisIsolation]
) -> None:
    first, second = process(), process()
    leases = first.lease(), second.lease()
    program.config_set("maxmemory", "70mb")
    second.release(leases[1])
    assert program.config_get("maxmemory") == {"maxmemory": str(70 * 2**20)}
    first.release(leases[0])
    assert program.config_get("maxmemory") == {"maxmemory": "0"}


def test_what_the_server_refuses_to_bring_back(program: Any, process: Callable[[], RedisIsolation]) -> None:
    isolation = process()
    isolation.release(isolation.lease())
    lease = isolation.lease()
    program.config_set("maxmemory", "70mb")
    program.acl_deluser("service")
    leftovers: Any = isolation._leftovers
    noted = leftovers._noted
    leftovers._noted = {**noted, "account service": "nonsense"}
    message = r"tests have changed account service \(Error in ACL SETUSER modifier 'nonsense'.*REDIS_URL has to undo"
    with pytest.raises(IsolationBrokenError, match=message):
        isolation.release(lease)
    assert program.config_get("maxmemory") == {"maxmemory": "0"}
    leftovers._noted = noted
    isolation.release(isolation.lease())
    assert "service" in program.acl_users()


def test_a_server_that_is_down_when_a_test_begins(
    process: Callable[[], RedisIsolation], service_control_sync: BlockingServiceControl
) -> None:
    isolation = process()
    isolation.release(isolation.lease())
    service_control_sync.stop("redis")
    lease = isolation.lease()
    service_control_sync.start("redis")
    isolation.restore()
    with isolation.client_sync(lease) as client:
        assert client.ping()
    isolation.release(lease)
