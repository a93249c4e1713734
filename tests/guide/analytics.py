"""The analytics service in the migration guide's examples: events from a file into ClickHouse."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any


async def process_events_file(clickhouse: Any, path: str) -> int:
    """Insert the events of a JSON file into the table ``events``; return how many there were."""
    events = json.loads(await asyncio.to_thread(Path(path).read_text, encoding="utf-8"))
    rows = [[event["event"], event["user_id"], datetime.fromisoformat(event["timestamp"])] for event in events]
    columns = ["event", "user_id", "timestamp"]
    await asyncio.to_thread(clickhouse.client.insert, "events", rows, column_names=columns)
    return len(rows)
