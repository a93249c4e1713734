"""Changes of calls of a Redis client: the key, the time to live, and conditions such as `nx`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants import calls
from realservices.mocks.verify.mutants.mutant_model import Change, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.verify.mutants.mutant_model import Found, Source

_NAMES = re.compile(r"redis|valkey|cache|(?:^|_)kv|pipe", re.IGNORECASE)
# Methods that nothing but Redis has.
_VERBS = """
    setex psetex setnx expire pexpire expireat persist ttl pttl hset hget hgetall hdel hexists hincrby incr incrby decr
    decrby sadd srem smembers sismember scard zadd zrem zrange zscore zincrby lpush rpush lpop rpop lrange llen getdel
    getex xadd xread xlen
"""
_OWN = frozenset(_VERBS.split())
_ALSO = frozenset({"get", "set", "delete", "exists", "publish", "append"})
_TTL_SECOND = {"setex", "psetex", "expire", "pexpire"}
_TTL_WORDS = {"ex", "px", "exat", "pxat"}
_CONDITIONS = {"nx", "xx", "keepttl"}


def redis_changes(source: Source, call: ast.Call) -> Iterator[Found]:
    """Yield the changes of a call, if it is one of a Redis client."""
    name = calls.method(call)
    if name not in _OWN and not (name in _ALSO and _NAMES.search(calls.receiver(call))):
        return
    if call.args:
        yield from _other_key(source, call.args[0])
    if name in _TTL_SECOND and len(call.args) > 1 and not isinstance(call.args[1], ast.Constant):
        yield Change.REDIS_TTL, source.replaced(call.args[1], f"({source.of(call.args[1])}) * 2")
    for keyword in call.keywords:
        if keyword.arg in _TTL_WORDS:
            yield Change.REDIS_TTL, _without(source, call, keyword)
        elif keyword.arg in _CONDITIONS:
            yield Change.REDIS_CONDITION, _without(source, call, keyword)


def _other_key(source: Source, key: ast.expr) -> Iterator[Found]:
    # A literal is changed as every constant is.
    if isinstance(key, ast.Name | ast.Attribute | ast.Call):
        yield Change.REDIS_KEY, source.replaced(key, f'str({source.of(key)}) + ":changed"')


def _without(source: Source, call: ast.Call, keyword: ast.keyword) -> tuple[Edit, ...]:
    """Return the edit that leaves an argument out, with the comma before it or behind it."""
    start, end = source.span(keyword)
    before = [source.span(each)[1] for each in (*call.args, *call.keywords) if source.span(each)[1] < start]
    if before:
        return (Edit(max(before), end, ""),)
    following = [source.span(each)[0] for each in call.keywords if source.span(each)[0] > end]
    return (Edit(start, min(following, default=end), ""),)
