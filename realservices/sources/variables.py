"""The variables that name services of somebody else. By itself, because every session asks whether one is set."""

from __future__ import annotations

import os

# What switches attaching on, by kind.
VARIABLES = {
    "postgres": "TEST_POSTGRES_HOST",
    "redis": "TEST_REDIS_HOST",
    "clickhouse": "TEST_CLICKHOUSE_HOST",
    "http": "TEST_HTTP_URL",
    "websocket": "TEST_WEBSOCKET_URL",
    "llm": "TEST_LLM_URL",
}
# The kinds whose variables this session itself has set, for the code under test.
EXPORTED = "REALSERVICES_EXPORTED"


def attached_kinds() -> list[str]:
    """Return the kinds that the environment names a service of."""
    exported = os.environ.get(EXPORTED, "").split()
    return [kind for kind, name in VARIABLES.items() if os.environ.get(name) and kind not in exported]
