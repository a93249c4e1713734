"""What happened, for analytics: a stream in Redis, which `analytics.worker` empties into ClickHouse.

The id tells an event from any other, so that one which is recorded or delivered twice counts once.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from redis.asyncio.client import Pipeline

STREAM = "events"
_KEPT = 100_000  # about so many wait for a worker that does not come


def record(pipe: Pipeline, *, id: str, event: str, user_id: int, at: float) -> None:  # noqa: A002  # its name in JSON
    """Record an event, when the pipeline is executed.

    Args:
        pipe: of commands to Redis.
        id: the same for the same event.
        event: its name.
        user_id: whose it is.
        at: when; seconds since the epoch.
    """
    timestamp = datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds")
    content = {"id": id, "event": event, "user_id": user_id, "timestamp": timestamp}
    pipe.xadd(STREAM, {"event": json.dumps(content)}, maxlen=_KEPT, approximate=True)
