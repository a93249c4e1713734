"""What a random test of Redis leaves behind: connections in use, threads, functions, settings, accounts.

Each does something with the test's share, and may return what goes on after the test: an attempt to write into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import RedisError

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from realservices.kinds.redis.isolation.clients import IsolatedRedis, IsolatedRedisSync

KEY = "left"
"""What late writers write."""
_LIBRARY = "#!lua name={}\nredis.register_function('{}', function() return 1 end)"
_SETTINGS = (
    ("maxmemory", "100mb"),
    ("maxmemory-policy", "allkeys-lru"),
    ("notify-keyspace-events", "KEA"),
    ("hash-max-listpack-entries", "1"),
    ("timeout", "1000"),
    ("slowlog-log-slower-than", "0"),
    ("lua-time-limit", "77"),
    ("client-output-buffer-limit", "pubsub 1mb 1mb 7"),
)


class Test:
    """What a random test has.

    Args:
        client: The asyncio fixture.
        blocking: The blocking one.
        program: A client of REDIS_URL.
        rng: Decides.
    """

    __test__ = False

    def __init__(self, client: IsolatedRedis, blocking: IsolatedRedisSync, program: Any, rng: random.Random) -> None:
        self.client = client
        self.blocking: Any = blocking
        self.program = program
        self.rng = rng


Late = Any
"""An attempt to write, made while later tests run; None: there is none."""


async def _url_client(test: Test) -> Late:
    other: Any = redis.Redis.from_url(test.client.url)
    other.set("own", 1)
    return lambda: asyncio.to_thread(other.set, KEY, "url")


async def _url_client_asyncio(test: Test) -> Late:
    other = redis.asyncio.Redis.from_url(test.client.url)
    await other.set("own", 1)
    return lambda: other.set(KEY, "url")


async def _second_pool(test: Test) -> Late:
    """As rq makes one of a connection that it is given."""
    pool = test.blocking.connection_pool
    arguments = {"connection_class": pool.connection_class, **pool.connection_kwargs}
    other: Any = redis.Redis(connection_pool=redis.ConnectionPool(**arguments))
    other.set("own", 1)
    return lambda: asyncio.to_thread(other.set, KEY, "pool")


async def _clients_themselves(test: Test) -> Late:
    await test.client.set("own", 1)
    return lambda: test.client.set(KEY, "fixture")


async def _single_connection(test: Test) -> Late:
    single = test.blocking.client()
    single.set("own", 1)
    return lambda: asyncio.to_thread(single.set, KEY, "single")


async def _subscription(test: Test) -> Late:
    pubsub = test.client.pubsub()
    await pubsub.subscribe("news")

    async def listen() -> object:
        return await pubsub.get_message(timeout=0)

    return listen


async def _blocked_thread(test: Test) -> Late:
    """A worker that takes from a queue, again and again, whatever happens."""
    url, is_started = test.rng.random() < 0.5, threading.Event()
    client: Any = redis.Redis.from_url(test.client.url) if url else test.blocking

    def work() -> None:
        for _ in range(20):
            is_started.set()
            with contextlib.suppress(RedisError, IsolationError):
                client.blpop("queue", timeout=60)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    is_started.wait()
    return None


async def _watching(test: Test) -> Late:
    pipeline = test.client.pipeline()
    await pipeline.watch("own")
    return lambda: pipeline.set(KEY, "watching")


async def _open_transaction(test: Test) -> Late:
    test.blocking.execute_command("MULTI")
    test.blocking.execute_command("CLIENT", "SETNAME", "mine")
    return None


async def _libraries(test: Test) -> Late:
    name = test.rng.choice(("mine", "other"))
    head = test.rng.choice(("#!lua name=", '#!lua name="', "#!lua NAME=", "#!lua  name="))
    code = _LIBRARY.format(name, name).replace("#!lua name=", head).replace("\n", '"\n' if '"' in head else "\n", 1)
    client = test.rng.choice((test.blocking, redis.Redis.from_url(test.client.url), test.program))
    client.function_load(code, replace=True)
    return None


async def _scripts(test: Test) -> Late:
    client = test.rng.choice((test.blocking, test.program))
    client.eval(f"return {test.rng.randrange(99)}", 0)
    client.script_load("return 'loaded'")
    return None


async def _settings(test: Test) -> Late:
    test.program.config_set(*test.rng.choice(_SETTINGS))
    if test.rng.random() < 0.2:
        test.program.config_resetstat()
    return None


async def _accounts(test: Test) -> Late:
    rules = test.rng.choice((["on", "nopass", "+@all", "~*"], ["off", "(~a* +get)", "+@read"], ["on", ">pw"]))
    test.program.execute_command("ACL", "SETUSER", test.rng.choice(("app", "app", "default")), *rules)
    return None


async def _flushed(test: Test) -> Late:
    test.program.function_flush()
    test.program.script_flush()
    return None


LEAVINGS: tuple[Callable[[Test], Awaitable[Any]], ...] = (
    _url_client,
    _url_client_asyncio,
    _second_pool,
    _clients_themselves,
    _single_connection,
    _subscription,
    _blocked_thread,
    _watching,
    _open_transaction,
    _libraries,
    _scripts,
    _settings,
    _accounts,
    _flushed,
)
