"""Every command of the server is known by what it reaches: a new version's new command fails here until it is, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.exceptions import NoPermissionError

from realservices.kinds.redis.isolation.guard import PLAIN, REFUSED
from realservices.kinds.redis.isolation.refusals import ServerWideCommandError
from realservices.sources.services import find_services
from tests.isolation.redis.operations import REFUSED as REFUSED_STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint

# Reach keys of the selected database only: what they are is told by their categories.
_OF_KEYS = {
    *("@string", "@hash", "@list", "@set", "@sortedset", "@stream", "@hyperloglog", "@geo", "@bitmap", "@keyspace"),
}
# By categories these are of keys, or of none.
_CLASSES = {
    "own database": "vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrem vsetattr vsim memory|usage",
    "own connection": (
        "asking auth client|caching client|getname client|getredir client|id client|info client|no-evict "
        "client|no-touch client|reply client|setinfo client|setname client|tracking client|trackinginfo discard echo "
        "exec hello multi ping quit readonly readwrite reset unwatch wait waitaof watch acl|whoami"
    ),
    # Their commands are asked for one by one.
    "scripts": "eval eval_ro evalsha evalsha_ro fcall fcall_ro",
    # By its id, which a test knows of its own connections.
    "one connection": "client|unblock",
    # By name; `channel` gives a name of the test's own.
    "channels": (
        "publish spublish subscribe ssubscribe psubscribe unsubscribe sunsubscribe punsubscribe pubsub|channels "
        "pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub"
    ),
    # Named by their content.
    "the script cache": "script|load script|exists",
    "removed after the test": "function|load",
    "only tells": (
        "acl|cat acl|dryrun acl|genpass acl|getuser acl|list acl|users client|list command|count command|docs "
        "command|getkeys command|getkeysandflags command|info command|list config|get function|dump function|list "
        "function|stats info lastsave latency|doctor latency|graph latency|histogram latency|history latency|latest "
        "lolwut memory|doctor memory|malloc-stats memory|stats module|list role slowlog|get slowlog|len time"
    ),
    # Gives memory back to the system.
    "without an effect on data": "memory|purge",
    # Refused by a server that is not in a cluster.
    "of a cluster": (
        "cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|count-failure-reports "
        "cluster|countkeysinslot cluster|delslots cluster|delslotsrange cluster|failover cluster|flushslots "
        "cluster|forget cluster|getkeysinslot cluster|info cluster|keyslot cluster|links cluster|meet cluster|myid "
        "cluster|myshardid cluster|nodes cluster|replicas cluster|replicate cluster|reset cluster|saveconfig "
        "cluster|set-config-epoch cluster|setslot cluster|shards cluster|slaves cluster|slot-stats cluster|slots"
    ),
    "confined to the own index": "select",
    "subcommands' names": (
        "acl client cluster command config function latency memory module object pubsub script slowlog xgroup xinfo"
    ),
}
_KNOWN = {name: what for what, names in _CLASSES.items() for name in names.split()}


@pytest.fixture
def endpoint() -> Endpoint:
    """The Redis service."""
    return find_services().endpoint("redis")


@pytest.fixture
def server(endpoint: Endpoint) -> Iterator[Any]:
    """A client with full power, without redis-py's own reading of answers."""
    with redis.Redis.from_url(endpoint.url, decode_responses=True) as client:
        client.response_callbacks.clear()
        yield client


def _described(server: Any) -> dict[str, tuple[int, set[str]]]:
    """Return arity and categories of every command and subcommand."""
    found: dict[str, tuple[int, set[str]]] = {}
    waiting: list[Any] = list(server.execute_command("COMMAND"))
    while waiting:
        name, arity, _, _, _, _, categories, _, _, subcommands = waiting.pop()[:10]
        found[name.lower()] = arity, set(categories)
        waiting += subcommands
    return found


def test_every_command_is_known_by_what_it_reaches(server: Any) -> None:
    described = _described(server)
    assert set(described) == {name.lower() for name in server.execute_command("COMMAND", "LIST")}
    unknown = [
        name
        for name, (_, categories) in described.items()
        if not (name in _KNOWN or name in REFUSED or name.endswith("|help") or categories & _OF_KEYS)
    ]
    assert unknown == [], "say in _CLASSES what these reach, or refuse them in guard.py"
    assert not set(_KNOWN) & set(REFUSED)


def test_plain_commands_change_nothing_about_a_connection(server: Any) -> None:
    described = _described(server)
    of_connections = {"@connection", "@transaction", "@pubsub", "@scripting", "@blocking", "@admin"}
    found = {name for name in map(str.lower, PLAIN) if described[name][1] & of_connections}
    assert found == {"ping", "xread"}, "xread waits, where it is told to"


def test_what_is_refused_is_what_the_accounts_may_not(server: Any, isolated_redis_sync: Any) -> None:
    url_user = isolated_redis_sync.connection_pool.connection_kwargs["username"].removesuffix("-client")
    for user in (url_user, f"{url_user}-client"):
        for name, (arity, _) in _described(server).items():
            words = name.split("|")
            arguments = ["0"] * (abs(arity) - len(words))
            if _KNOWN.get(name) != "subcommands' names":
                answer = server.execute_command("ACL", "DRYRUN", user, *words, *arguments)
                assert (answer != "OK") == (name in {*REFUSED, "select"}), f"{user} {name}: {answer}"


_LEAVES = [
    "'SELECT', 0",
    "'MOVE', 'a', 0",
    "'SWAPDB', 0, 1",
    "'FLUSHALL'",
    "'FUNCTION', 'FLUSH'",
    "'CONFIG', 'SET', 'a', 1",
]


@pytest.mark.parametrize("call", _LEAVES)
def test_scripts_and_functions_are_confined_like_their_caller(isolated_redis_sync: Any, call: str) -> None:
    isolated_redis_sync.set("a", 1)
    with pytest.raises(redis.ResponseError, match=r"(?i)permission|not allowed"):
        isolated_redis_sync.eval(f"return redis.call({call})", 0)
    isolated_redis_sync.function_load(
        f"#!lua name=leaving\nredis.register_function('leave', function() return redis.call({call}) end)"
    )
    with pytest.raises(redis.ResponseError, match=r"(?i)permission|not allowed"):
        isolated_redis_sync.fcall("leave", 0)
    assert isolated_redis_sync.get("a") == "1"


def test_copy_to_another_database_is_refused_by_the_client(isolated_redis_sync: Any, server: Any) -> None:
    isolated_redis_sync.set("a", 1)
    with pytest.raises(ServerWideCommandError, match=r"COPY a: .*whose database index is \d+"):
        isolated_redis_sync.copy("a", "b", destination_db=0)
    with pytest.raises(NoPermissionError, match=r"whose database index is \d+"):
        isolated_redis_sync.pipeline().copy("a", "b", destination_db=0).execute()
    assert isolated_redis_sync.copy("a", "b")
    assert isolated_redis_sync.copy("a", "c", destination_db=isolated_redis_sync.database_index)
    assert isolated_redis_sync.mget("b", "c") == ["1", "1"]
    assert server.exists("b") == 0


async def test_copy_to_another_database_is_refused_by_the_asyncio_client(isolated_redis: Any) -> None:
    await isolated_redis.set("copy", 1)
    with pytest.raises(ServerWideCommandError, match="database index"):
        await isolated_redis.execute_command(b"copy", "copy", "b", "DB", "0")
    async with isolated_redis.pipeline() as pipeline:
        with pytest.raises(NoPermissionError, match="database index"):
            await pipeline.copy("copy", "b", destination_db=0).execute()
    assert await isolated_redis.copy("copy", "b")


async def test_a_command_of_a_module_is_told_with_what_to_name(isolated_redis: Any, isolated_redis_sync: Any) -> None:
    with pytest.raises(redis.ResponseError, match=r"JSON\.SET") as blocking:
        isolated_redis_sync.json().set("d", "$", {"a": 1})
    with pytest.raises(redis.ResponseError, match=r"JSON\.SET") as awaited:
        await isolated_redis.json().set("d", "$", {"a": 1})
    for error in (blocking, awaited):
        assert (
            "the pinned Redis comes without modules (JSON, search, …): name a redis-server" in error.value.__notes__[0]
        )


def test_a_setting_is_refused_with_where_it_belongs(isolated_redis_sync: Any) -> None:
    message = (
        r"CONFIG SET notify-keyspace-events: .* redis_service\(settings = \{\"notify-keyspace-events\": \"KEA\"\}\), "
        r"or without Bazel settings = \{ \"notify-keyspace-events\" = \"KEA\" \} in the service's table"
    )
    with pytest.raises(ServerWideCommandError, match=message):
        isolated_redis_sync.config_set("notify-keyspace-events", "KEA")


_BY_THE_CLIENT_ALONE = ("COPY", "RESET", "MONITOR")


@pytest.mark.parametrize("words", REFUSED_STATEMENTS, ids=" ".join)
async def test_each_way_to_send_a_refused_command(
    isolated_redis: Any, isolated_redis_sync: Any, words: list[str]
) -> None:
    isolated_redis_sync.set("a", 1)
    with pytest.raises(ServerWideCommandError, match=r"reach other tests \(.*\)\. [A-Z]"):
        await isolated_redis.execute_command(*words)
    with pytest.raises(ServerWideCommandError, match=r"reach other tests \(.*\)\. [A-Z]"):
        isolated_redis_sync.execute_command(*words)
    for transaction in (True, False):
        with pytest.raises(NoPermissionError) as raised:
            isolated_redis_sync.pipeline(transaction=transaction).execute_command(*words).execute()
        if words[0] not in _BY_THE_CLIENT_ALONE:
            assert "reach other tests. " in raised.value.__notes__[0]
        with pytest.raises(NoPermissionError):
            await isolated_redis.pipeline(transaction=transaction).execute_command(*words).execute()
    if words[0] not in _BY_THE_CLIENT_ALONE:
        with redis.Redis.from_url(isolated_redis.url) as other, pytest.raises(NoPermissionError):
            other.execute_command(*words)
        script = "return redis.call(" + ", ".join(f"'{word}'" for word in words) + ")"
        with pytest.raises(redis.ResponseError):
            isolated_redis_sync.eval(script, 0)
    assert (await isolated_redis.get("a"), isolated_redis_sync.get("a")) == ("1", "1")
