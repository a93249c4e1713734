"""The commands of Redis that a conversion knows, by the names of client methods."""

from __future__ import annotations

COMMANDS = {
    "get", "set", "setex", "setnx", "delete", "exists", "hget", "hset", "hgetall", "hdel", "hmset", "hmget",
    "hexists", "hincrby", "incr", "incrby", "decr", "decrby", "expire", "ttl", "lrange", "lpush", "rpush",
    "lpop", "rpop", "llen", "sadd", "smembers", "srem", "sismember", "scard", "zadd", "zrange", "zrem",
    "zscore", "zcard", "mget", "mset", "keys", "scan_iter", "getdel", "pipeline", "publish", "ping", "close",
    "aclose", "flushdb", "persist", "psetex", "zincrby", "append", "strlen", "getset", "unlink",
}  # fmt: skip
