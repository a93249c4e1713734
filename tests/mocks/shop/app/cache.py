"""A cache on Redis: asyncio, blocking, and one client in the module."""

import json

import redis
import redis.asyncio

TTL = 300
client = None


class UserCache:
    def __init__(self, redis, prefix="user"):
        self.redis = redis
        self.prefix = prefix

    def _key(self, user_id):
        return f"user:{user_id}"

    async def get(self, user_id):
        raw = await self.redis.get(f"user:{user_id}")
        return json.loads(raw) if raw else None

    async def put(self, user_id, user):
        await self.redis.set(f"user:{user_id}", json.dumps(user), ex=TTL)

    async def drop(self, user_id):
        return await self.redis.delete(f"user:{user_id}")

    async def touch(self, user_id):
        await self.redis.expire(f"user:{user_id}", TTL)


class Limiter:
    def __init__(self, client, limit=3):
        self.client = client
        self.limit = limit

    def allow(self, who):
        used = self.client.incr(f"limit:{who}")
        if used == 1:
            self.client.expire(f"limit:{who}", 60)
        return used <= self.limit

    def remaining(self, who):
        used = self.client.get(f"limit:{who}")
        return self.limit - int(used or 0)


def remember(name, value):
    client.setex(f"memo:{name}", 60, value)


def recall(name):
    value = client.get(f"memo:{name}")
    return value.decode() if value is not None else None


def profile(user_id):
    r = redis.Redis(host="localhost")
    return r.hgetall(f"profile:{user_id}")


def recent(user_id):
    return client.lrange(f"recent:{user_id}", 0, -1)


def add_tag(user_id, tag):
    client.sadd(f"tags:{user_id}", tag)


def session_user(token):
    return client.hget(f"session:{token}", "user")


def visits(client, page):
    with client.pipeline() as pipe:
        pipe.incr(f"visits:{page}")
        pipe.expire(f"visits:{page}", 60)
        pipe.get("total")
        count, _, total = pipe.execute()
    return count, total


async def put_profile(redis, user_id, name):
    pipe = redis.pipeline()
    pipe.hset(f"profile:{user_id}", "name", name)
    pipe.sadd("profiles", user_id)
    await pipe.execute()


async def get_redis_client():
    return client


async def greeting(language):
    redis_client = await get_redis_client()
    return await redis_client.get(f"greeting:{language}")
