"""What random tests do with a Redis client, blocking or asyncio: commands, and redis-py's own ways.

Answers are compared with those of a plain client of the same server. So nothing here depends on who asks.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

# {k}: a key, {n}: a number, {i}: an integer that may be an index, {v}: a value
_COMMANDS = """
    SET {k} {v} | SET {k} {v} NX GET | SET {k} {v} PX 100000 | GET {k} | GETDEL {k} | GETEX {k} PERSIST | APPEND {k} {v}
    INCR {k} | INCRBYFLOAT {k} 0.5 | MSET {k} {v} {k} {v} | MGET {k} {k} {k} | SETRANGE {k} 3 {v} | STRLEN {k} | LCS {k} {k}
    SETBIT {k} 7 1 | BITCOUNT {k} | BITOP AND {k} {k} {k} | BITFIELD {k} SET u8 0 200 | PFADD {k} {v} | PFCOUNT {k} {k}
    DEL {k} | UNLINK {k} {k} | EXISTS {k} {k} | TYPE {k} | RENAME {k} {k} | RENAMENX {k} {k} | COPY {k} {k} | TOUCH {k}
    EXPIRE {k} 1000 | EXPIRE {k} -1 | PERSIST {k} | EXPIRETIME {k} | OBJECT ENCODING {k} | OBJECT REFCOUNT {k}
    LPUSH {k} {v} {v} | RPOP {k} | LRANGE {k} 0 -1 | LMOVE {k} {k} LEFT RIGHT | LPOS {k} {v} | LMPOP 1 {k} LEFT | LSET {k} 0 {v}
    BLPOP {k} {k} 0.01 | BRPOPLPUSH {k} {k} 0.01 | BLMOVE {k} {k} LEFT RIGHT 0.01 | BZPOPMIN {k} 0.01 | BLMPOP 0.01 1 {k} LEFT
    SADD {k} {v} {n} | SMEMBERS {k} | SISMEMBER {k} {v} | SINTERSTORE {k} {k} {k} | SUNION {k} {k} | SMOVE {k} {k} {v} | SCARD {k}
    ZADD {k} {n} {v} | ZADD {k} INCR {n} {v} | ZRANGE {k} 0 -1 WITHSCORES | ZSCORE {k} {v} | ZPOPMIN {k} | ZRANGESTORE {k} {k} 0 -1
    ZUNION 2 {k} {k} WITHSCORES | ZINTERCARD 2 {k} {k} | ZRANDMEMBER {k} 0 | ZMPOP 1 {k} MIN | ZMSCORE {k} {v} {n}
    HSET {k} {v} {v} | HGETALL {k} | HINCRBY {k} {v} {n} | HDEL {k} {v} | HRANDFIELD {k} 0 | HEXPIRE {k} 1000 FIELDS 1 {v}
    HMGET {k} {v} {n} | HSTRLEN {k} {v} | GEOADD {k} 13.3 38.1 {v} | GEODIST {k} {v} {v} | GEOSEARCH {k} FROMLONLAT 13 38 BYRADIUS 9 km
    XADD {k} {n}-{n} f {v} | XRANGE {k} - + | XLEN {k} | XGROUP CREATE {k} g 0 MKSTREAM | XREADGROUP GROUP g c COUNT 2 STREAMS {k} >
    XACK {k} g {n}-{n} | XPENDING {k} g | XREAD COUNT 2 STREAMS {k} 0 | XREAD BLOCK 10 STREAMS {k} $ | XDEL {k} {n}-{n} | XTRIM {k} MAXLEN 1
    XAUTOCLAIM {k} g d 0 0 | XINFO STREAM {k} | XINFO GROUPS {k} | XGROUP DESTROY {k} g | XCLAIM {k} g c 0 {n}-{n}
    SCAN 0 COUNT 100 | SCAN 0 TYPE string COUNT 100 | SSCAN {k} 0 | HSCAN {k} 0 | ZSCAN {k} 0 | KEYS * | DBSIZE | FLUSHDB | FLUSHDB ASYNC
    SORT {k} BY nosort GET # | SORT {k} BY {k}:* GET {k}:* ALPHA | SORT {k} ALPHA STORE {k} | SORT_RO {k} ALPHA LIMIT 0 2
    DUMP {k} | RESTORE {k} 0 nonsense | PING | PING {v} | ECHO {v} | WAIT 0 0 | READONLY | ASKING | CLIENT GETNAME
    CLIENT SETNAME {v} | CLIENT NO-EVICT ON | CLIENT NO-TOUCH ON | CLIENT TRACKINGINFO | CLIENT TRACKING OFF
    CLIENT SETINFO LIB-NAME {v} | CLIENT REPLY NONSENSE | SCRIPT EXISTS {v} | FUNCTION LIST | FCALL missing 0 | CLUSTER INFO | CLUSTER KEYSLOT {k}
    EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0 | CONFIG GET maxmemory | CONFIG GET notify-keyspace-events | PUBLISH {k} {v}
    PUBSUB CHANNELS | PUBSUB NUMSUB {k} | LOLWUT VERSION 1 | MEMORY USAGE {k} | COMMAND GETKEYS GET {k} | COMMAND COUNT | NONSENSE {k}
    GET | SET {k} | HELLO 9 | EXEC | DISCARD | UNWATCH | OBJECT FREQ {k}
"""
# What reaches beyond a test, in the words of a user.
_REFUSED = """
    FLUSHALL | flushall async | SWAPDB 0 1 | MOVE a 0 | SELECT 0 | CONFIG SET maxmemory 1mb | CONFIG RESETSTAT | RESET
    CONFIG REWRITE | SCRIPT FLUSH | SCRIPT KILL | FUNCTION FLUSH | FUNCTION DELETE x | FUNCTION KILL | COPY a b DB 0
    ACL SETUSER other on | ACL DELUSER other | ACL LOAD | ACL SAVE | ACL LOG RESET | CLIENT KILL TYPE normal | CLIENT PAUSE 1
    CLIENT UNPAUSE | BGSAVE | BGREWRITEAOF | REPLICAOF NO ONE | FAILOVER
    MIGRATE 127.0.0.1 1 a 0 1 | SLOWLOG RESET | LATENCY RESET | MONITOR
"""
COMMANDS, REFUSED = (
    [command.split() for command in text.replace("\n", "|").split("|") if command.strip()]
    for text in (_COMMANDS, _REFUSED)
)
_KEYS = ("a", "b", "c", "a:1", "ä")
_VALUES = ("x", "1", "2", "ö", "", "a long value of some words", "9" * 20)
_SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), 1, {ok = 'fine'}}"


async def result_of(found: Any) -> Any:
    """Return an answer of a blocking client, or of an asyncio one."""
    return await found if inspect.isawaitable(found) else found


async def _listed(found: Any) -> list[Any]:
    if hasattr(found, "__aiter__"):
        return sorted([each async for each in found])
    return sorted(found)


async def _pipeline(client: Any, rng: random.Random) -> Any:
    pipeline = client.pipeline(transaction=rng.random() < 0.5)
    for _ in range(rng.randrange(1, 5)):
        await result_of(pipeline.execute_command(*random_command(rng)))
    return await result_of(pipeline.execute(raise_on_error=rng.random() < 0.5))


async def _watched(client: Any, rng: random.Random) -> Any:
    key = rng.choice(_KEYS)
    pipeline = client.pipeline()
    try:
        await result_of(pipeline.watch(key))
        before = await result_of(pipeline.type(key))
        if rng.random() < 0.5:
            await result_of(client.set(key, "other"))
        pipeline.multi()
        pipeline.set(key, "mine")
        return before, await result_of(pipeline.execute())
    finally:
        await result_of(pipeline.reset())


async def _locked(client: Any, _: random.Random) -> Any:
    lock, other = client.lock("lock", timeout=60, blocking=False), client.lock("lock", timeout=60, blocking=False)
    taken = [await result_of(each.acquire()) for each in (lock, other)]
    again = await result_of(lock.reacquire()), await result_of(lock.extend(5))
    return [*taken, *again, await result_of(lock.release()), await result_of(lock.locked())]


async def _subscribed(client: Any, rng: random.Random) -> Any:
    pubsub = client.pubsub()
    try:
        await result_of(pubsub.subscribe("news"))
        await result_of(pubsub.psubscribe("ne*"))
        await result_of(client.publish("news", rng.choice(_VALUES)))
        return [await result_of(pubsub.get_message(timeout=60)) for _ in range(4)]
    finally:
        await result_of(getattr(pubsub, "aclose", pubsub.close)())


async def _scripted(client: Any, rng: random.Random) -> Any:
    script = client.register_script(_SCRIPT)
    first = await result_of(script(keys=[rng.choice(_KEYS)], args=[rng.choice(_VALUES)]))
    return first, await result_of(client.script_exists(script.sha))


async def _called(client: Any, rng: random.Random) -> Any:
    """Run a command in a script."""
    words = random_command(rng)
    text = ", ".join(f"ARGV[{n + 1}]" for n in range(len(words)))
    return await result_of(client.eval(f"return redis.pcall({text})", 0, *words))


async def _restored(client: Any, rng: random.Random) -> Any:
    dumped = await result_of(client.dump(rng.choice(_KEYS)))
    return dumped and await result_of(client.restore("restored", 0, dumped, replace=True))


async def _scanned(client: Any, _: random.Random) -> Any:
    return await _listed(client.scan_iter(match="a*", count=2))


async def _transaction(client: Any, rng: random.Random) -> Any:
    key = rng.choice(_KEYS)
    return await result_of(client.transaction(lambda pipeline: pipeline.multi() or pipeline.append(key, "t"), key))


async def _own_connection(client: Any, rng: random.Random) -> Any:
    """Have a client with one connection, as kombu and rq do."""
    single = client.client()
    try:
        return [await result_of(single.execute_command(*random_command(rng))) for _ in range(3)]
    finally:
        await result_of(getattr(single, "aclose", single.close)())


async def _disconnected(client: Any, _: random.Random) -> Any:
    await result_of(client.connection_pool.disconnect())
    return await result_of(client.ping())


async def _from_kwargs(client: Any, rng: random.Random) -> Any:
    """Make a second pool like the client's, as rq and django-redis do."""
    pool = client.connection_pool
    arguments = {"connection_class": pool.connection_class, **pool.connection_kwargs}
    module = redis.asyncio if isinstance(client, redis.asyncio.Redis) else redis
    other: Any = module.Redis(connection_pool=module.ConnectionPool(**arguments))
    try:
        return await result_of(other.execute_command(*random_command(rng)))
    finally:
        await result_of(other.connection_pool.disconnect())


CALLS: dict[str, Callable[[Any, random.Random], Awaitable[Any]]] = {
    "pipeline": _pipeline,
    "watched": _watched,
    "locked": _locked,
    "subscribed": _subscribed,
    "scripted": _scripted,
    "called": _called,
    "restored": _restored,
    "scanned": _scanned,
    "transaction": _transaction,
    "own_connection": _own_connection,
    "disconnected": _disconnected,
    "from_kwargs": _from_kwargs,
}


def random_command(rng: random.Random) -> list[str]:
    """Return a random command, whose answer does not depend on chance or on the time."""
    words = []
    for word in rng.choice(COMMANDS):
        found = word.replace("{k}", rng.choice(_KEYS)).replace("{n}", str(rng.randrange(1, 4)))
        words.append(found.replace("{v}", rng.choice(_VALUES)) if word != "{v}" else rng.choice(_VALUES))
    return words
