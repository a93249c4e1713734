"""PostgreSQL and Redis as our servers hold them: opened with limits on waiting, asked for their health, out of reach.

To wait for a service that is down is the client's to decide: nothing here tries more than once again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# What clients raise when the service behind them is down, starting or stopping; asyncpg keeps its kinds of that apart.
OUT_OF_REACH = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection whose server has said goodbye but not yet hung up
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)
_ANSWER_TIMEOUT_S = 10.0  # after which a request is given up
_HEALTH_TIMEOUT_S = 1.0


@asynccontextmanager
async def open_stores(*, database_url: str, redis_url: str) -> AsyncIterator[tuple[asyncpg.Pool, Redis]]:
    """Open a pool of connections to PostgreSQL and a client of Redis, until the context ends."""
    # One more try for a connection that died while it was idle.
    once_more = Retry(NoBackoff(), retries=1)
    client = Redis.from_url(redis_url, decode_responses=True, socket_timeout=_ANSWER_TIMEOUT_S, retry=once_more)
    pool = asyncpg.create_pool(database_url, min_size=1, max_size=10, command_timeout=_ANSWER_TIMEOUT_S)
    async with client, pool:
        yield pool, client


async def check_health(pool: asyncpg.Pool, client: Redis) -> None:
    """Ask both for a sign of life.

    Raises:
        OUT_OF_REACH: one of these, within two seconds.
    """
    async with asyncio.timeout(_HEALTH_TIMEOUT_S):
        await client.ping()
    async with pool.acquire(timeout=_HEALTH_TIMEOUT_S) as connection:
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                await connection.fetchval("SELECT 1")
        except TimeoutError:
            connection.terminate()  # or its way back to the pool would wait for a server that hangs
            raise
