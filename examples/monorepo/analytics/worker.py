"""Brings events from the stream in Redis to ClickHouse: `python -m analytics.worker`.

An event leaves the stream when ClickHouse has it: one that was taken and not stored, because the worker or ClickHouse
went down in between, is taken again. What is no event is moved to the stream `events:refused`. Configured by REDIS_URL
and CLICKHOUSE_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis.exceptions
from clickhouse_connect.driver.exceptions import OperationalError
from redis.asyncio import Redis

from analytics.errors import MalformedEventError
from analytics.events import Event, read_event
from analytics.store import EventStore, open_store
from web.program import required_environment, told_to_stop
from web.tasks import end_task

STREAM = "events"
REFUSED = "events:refused"
GROUP = "analytics"

_BATCH = 1000
_BLOCK_MS = 1000
_RETRY_S = 0.2
_NOT_TAKEN, _TAKEN = ">", "0"  # ids that XREADGROUP knows: what no consumer was given, and what this one was

_logger = logging.getLogger(__name__)


class Worker:
    """Empties the stream."""

    def __init__(self, redis: Redis, store: EventStore, *, name: str) -> None:
        """Keep the ends.

        Args:
            redis: where the stream is; answers as text, by the second version of the protocol.
            store: where the events go.
            name: of this worker; one that comes back under its name goes on with what it had taken.
        """
        self._redis = redis
        self._store = store
        self._name = name

    async def run(self) -> None:
        """Work for ever, until Redis or ClickHouse cannot be reached."""
        start = _TAKEN
        while True:
            try:
                entries = await self._take(start)
            except redis.exceptions.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._make_group()  # at the first time, and when Redis has lost everything
                continue
            if entries:
                await self._bring(entries)
            else:
                start = _NOT_TAKEN

    async def _make_group(self) -> None:
        with suppress(redis.exceptions.ResponseError):  # BUSYGROUP: another worker was faster
            await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)

    async def _take(self, start: str) -> list[tuple[str, dict[str, str] | None]]:
        streams: Any = await self._redis.xreadgroup(GROUP, self._name, {STREAM: start}, count=_BATCH, block=_BLOCK_MS)
        return [entry for _, entries in streams or () for entry in entries]

    async def _bring(self, entries: list[tuple[str, dict[str, str] | None]]) -> None:
        events, refused = [], []
        for entry_id, fields in entries:
            if not fields:
                continue  # it was taken, and cut off the end of a stream that grew too long
            event = _event(entry_id, fields)
            if event is None:
                refused.append(fields)
            else:
                events.append(event)
        await self._store.insert(events)
        async with self._redis.pipeline(transaction=True) as pipe:
            for fields in refused:
                pipe.xadd(REFUSED, {"event": json.dumps(fields)}, maxlen=_BATCH)
            ids = [entry_id for entry_id, _ in entries]
            pipe.xack(STREAM, GROUP, *ids)
            pipe.xdel(STREAM, *ids)
            await pipe.execute()


async def work(
    *, redis_url: str, clickhouse_url: str, name: str = "worker", on_ready: Callable[[], None] = lambda: None
) -> None:
    """Work for ever; comes back by itself when Redis and ClickHouse do.

    Args:
        redis_url: where the stream is.
        clickhouse_url: where the events go; see `open_store`.
        name: of this worker.
        on_ready: called whenever the tables are there, and the work begins.
    """
    while True:
        try:
            async with (
                open_store(clickhouse_url) as store,
                Redis.from_url(redis_url, decode_responses=True, protocol=2) as client,
            ):
                await store.create_tables()
                on_ready()
                await Worker(client, store, name=name).run()
        except (OSError, OperationalError, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as cause:
            _logger.warning("out of reach: %r", cause)
        await asyncio.sleep(_RETRY_S)


def _event(entry_id: str, fields: dict[str, str]) -> Event | None:
    try:
        return read_event(json.loads(fields["event"]), default_id=f"stream:{entry_id}")
    except (MalformedEventError, KeyError, ValueError, RecursionError) as error:
        _logger.warning("entry %s is no event: %s", entry_id, error)
        return None


async def run(*, redis_url: str, clickhouse_url: str, name: str) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = asyncio.create_task(told_to_stop().wait())
    working = asyncio.create_task(
        work(
            redis_url=redis_url,
            clickhouse_url=clickhouse_url,
            name=name,
            on_ready=lambda: print("analytics is at work", flush=True),
        )
    )
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    await end_task(stopping)
    await end_task(working)


def main() -> None:
    """Read arguments and environment, and work."""
    parser = argparse.ArgumentParser(prog="analytics.worker", description="Events from Redis to ClickHouse.")
    parser.add_argument("--name", default="worker", help="which worker this is, of several (default: %(default)s)")
    arguments = parser.parse_args()
    redis_url, clickhouse_url = required_environment(parser, "REDIS_URL", "CLICKHOUSE_URL")
    asyncio.run(run(redis_url=redis_url, clickhouse_url=clickhouse_url, name=arguments.name))


if __name__ == "__main__":
    main()
