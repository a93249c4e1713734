"""The target's own servers, as somebody else who uses them sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import redis

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

# Names that only sessions without a launcher give.
SESSIONS_DATABASES = "SELECT count(*) FROM pg_database WHERE datname ~ '^realservices_[0-9a-f]{12}_'"


async def connect(endpoint: Endpoint, database: str = "postgres") -> Any:
    """Connect to a database."""
    return await asyncpg.connect(
        host=endpoint.host, port=endpoint.port, user=endpoint.user, password=endpoint.password, database=database
    )


async def query(endpoint: Endpoint, *statements: str, database: str = "postgres") -> Any:
    """Run statements and return the first value of the last one."""
    connection = await connect(endpoint, database)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def redis_client(endpoint: Endpoint, number: int = 0) -> Any:
    """Return a client of one number, with full power."""
    return redis.Redis(
        host=endpoint.host, port=endpoint.port, password=endpoint.password, db=number, decode_responses=True
    )
