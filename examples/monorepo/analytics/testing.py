"""What the tests of this folder share: the fixtures' types, and events to store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from analytics.events import Event

START = datetime(2023, 1, 1, tzinfo=UTC)


class ClickHouseDatabase(Protocol):
    """The `isolated_clickhouse` fixture: a database of the test's own."""

    @property
    def url(self) -> str:
        """Where it is, for programs that open their own connections."""

    async def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""


class Filesystem(Protocol):
    """The `filesystem` fixture: a directory of the test's own."""

    async def create_file(self, name: str, content: str = "") -> Path:
        """Write a file."""


def event(name: str, user_id: int, *, after: timedelta = timedelta(0), id: str | None = None) -> Event:  # noqa: A002
    """Make an event, some time after `START`; one with the same arguments is the same."""
    return Event(id=id or f"{name} {user_id} {after}", event=name, user_id=user_id, timestamp=START + after)
