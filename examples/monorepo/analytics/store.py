"""Events in ClickHouse: `schema/` is the table, this module all its queries.

clickhouse-connect is used in its blocking form, in threads: one client may serve several at once as long as it has no
session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from analytics.events import Event, read_events

_SCHEMA = Path(__file__).parent / "schema"
# With types: without, the driver asks for them before each insert, and takes the answer of a server that is killed
# meanwhile for a table without columns.
_COLUMNS = {"id": "String", "event": "String", "user_id": "UInt64", "timestamp": "DateTime64(3, 'UTC')"}


class EventStore:
    """The events of one database."""

    def __init__(self, client: Client) -> None:
        """Use `client`, whose database is where the table is."""
        self._client = client

    async def create_tables(self) -> None:
        """Make the tables that are not there."""
        for path in sorted(_SCHEMA.glob("*.sql")):
            await asyncio.to_thread(self._client.command, path.read_text(encoding="utf-8"))

    async def insert(self, events: Sequence[Event]) -> None:
        """Store events, all or none. One that is stored already stays one."""
        rows = [[event.id, event.event, event.user_id, event.timestamp] for event in events]
        await asyncio.to_thread(
            self._client.insert, "events", rows, column_names=list(_COLUMNS), column_type_names=list(_COLUMNS.values())
        )

    async def process_events_file(self, path: str | Path) -> int:
        """Store the events of a file, all or none; see `read_events` for what is in one.

        Returns:
            How many there are in it.

        Raises:
            MalformedEventError: one of them is wrong.
            OSError: the file cannot be read.
        """
        events = read_events(await asyncio.to_thread(Path(path).read_bytes))
        await self.insert(events)
        return len(events)

    async def counts(self) -> dict[str, int]:
        """Count events by name."""
        rows = await self._rows("SELECT event, count() FROM events FINAL GROUP BY event")
        return dict(rows)

    async def users_by_day(self, event: str) -> dict[date, int]:
        """Count the users that did something, by day in UTC."""
        rows = await self._rows(
            "SELECT toDate(timestamp) AS day, uniqExact(user_id) FROM events WHERE event = {event:String} "
            "GROUP BY day ORDER BY day",
            event=event,
        )
        return dict(rows)

    async def funnel(self, steps: Sequence[str], *, within: timedelta) -> list[int]:
        """Count the users that came as far as each step.

        Args:
            steps: names of events that follow one another; others may lie in between.
            within: how long the whole way may take, from a user's first step on.

        Returns:
            A number per step, none larger than the one before it.
        """
        conditions = ", ".join(f"event = {{step{number}:String}}" for number in range(len(steps)))
        window_ms = int(within / timedelta(milliseconds=1))  # a parameter of the function, where no query's can be
        level = f"windowFunnel({window_ms})(toUInt64(toUnixTimestamp64Milli(timestamp)), {conditions})"
        rows = await self._rows(
            f"SELECT level, count() FROM (SELECT {level} AS level FROM events FINAL GROUP BY user_id) GROUP BY level",  # noqa: S608  # numbers
            **{f"step{number}": step for number, step in enumerate(steps)},
        )
        return [sum(users for level, users in rows if level > number) for number in range(len(steps))]

    async def _rows(self, query: str, **parameters: Any) -> Sequence[Any]:
        result = await asyncio.to_thread(self._client.query, query, parameters=parameters)
        rows: Sequence[Any] = result.result_rows
        return rows


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[EventStore]:
    """Connect to ClickHouse, until the context ends.

    Args:
        url: `http://user:password@host:port/database`, or with `?database=name`.

    Raises:
        clickhouse_connect.driver.exceptions.OperationalError: it cannot be reached.
    """
    parts = urlsplit(url)
    client = await asyncio.to_thread(
        clickhouse_connect.get_client,
        host=parts.hostname,
        port=parts.port,
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=dict(parse_qsl(parts.query)).get("database") or unquote(parts.path.strip("/")) or "default",
        interface="https" if parts.scheme == "https" else "http",
        autogenerate_session_id=False,
    )
    try:
        yield EventStore(client)
    finally:
        await asyncio.to_thread(client.close)
