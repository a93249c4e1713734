"""The Redis clients of a test, which are new for it; a connection may be kept from the test before."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, ResponseError

from realservices.kinds.redis.isolation.refusals import add_note, explain

if TYPE_CHECKING:
    from realservices.kinds.redis.isolation.lease import RedisLease

C = TypeVar("C", "IsolatedRedis", "IsolatedRedisSync")


class _OwnDatabase:
    """What the client of a test's own database has besides the library's methods.

    Attributes:
        url: The URL for code under test that makes its own client.
        database_index: Which database it is.
    """

    url = ""
    database_index = 0

    def channel(self, name: str) -> str:
        """Return a name for a publish/subscribe channel that no other test uses at the same time.

        Channels belong to the whole server: on one of a fixed name a test hears those of other processes, too.
        """
        return f"{name}:{self.database_index}"


class _Pipeline(redis.asyncio.client.Pipeline):
    """A pipeline whose errors say what to do instead."""

    def annotate_exception(self, exception: Exception, number: int, command: Any) -> None:
        add_note(exception, command)
        super().annotate_exception(exception, number, command)


class _PipelineSync(redis.client.Pipeline):
    """`_Pipeline` for blocking clients."""

    def annotate_exception(self, exception: Exception, number: int, command: Any) -> None:
        add_note(exception, command)
        super().annotate_exception(exception, number, command)  # type: ignore[no-untyped-call]


class IsolatedRedis(_OwnDatabase, redis.asyncio.Redis):  # type: ignore[misc]  # The library's own bases disagree.
    """An asyncio client of a test's own database."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise explain(args, error) from None
        except (UnicodeDecodeError, ResponseError) as error:
            add_note(error, args)
            raise

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Return a pipeline of the library's."""
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class IsolatedRedisSync(_OwnDatabase, redis.Redis):
    """A blocking client of a test's own database."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise explain(args, error) from None
        except (UnicodeDecodeError, ResponseError) as error:
            add_note(error, args)
            raise

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Return a pipeline of the library's."""
        return _PipelineSync(self.connection_pool, self.response_callbacks, transaction, shard_hint)


def client_of(kind: type[C], lease: RedisLease, pool: Any) -> C:
    """Return a new client of a test's own. Copied, because redis-py takes 0.1 ms to fill its table of callbacks."""
    client: C = copy.copy(_model(kind))
    client.connection_pool = pool
    # Not copy.copy, which is slow for it.
    table: Any = type(client.response_callbacks)
    client.response_callbacks = table({})
    dict.update(client.response_callbacks, _model(kind).response_callbacks)
    client.url, client.database_index = lease.url, lease.database_index
    return client


@functools.cache
def _model(kind: Any) -> Any:
    module = redis.asyncio if issubclass(kind, redis.asyncio.Redis) else redis
    return kind(connection_pool=module.ConnectionPool())
