"""What the tests of this folder share: a clock to turn, a cheap hash, and the fixtures' types.

Nothing stands in for a service here: PostgreSQL and Redis are real, and come from fixtures of `realservices`.
"""

from __future__ import annotations

from typing import Any, Protocol

from redis.asyncio import Redis

from auth.database import Connection
from auth.passwords import ScryptCost
from auth.service import AuthService
from auth.tokens import Clock

SIGNING_KEY = b"a signing key for the tests only"
CHEAP = ScryptCost(log2_n=4, r=1, p=1)  # 2 KiB and microseconds: what is tested is not how long a hash takes
START = 1_700_000_000.0


class ManualClock:
    """A clock that goes when it is told to, so that nothing has to wait for something to expire."""

    def __init__(self) -> None:
        """Start at `START`."""
        self._now = START

    def __call__(self) -> float:
        """Tell the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class DatabaseConnection(Connection, Protocol):
    """An asyncpg connection, with what only tests use of it."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Run a query and return its rows."""


class IsolatedRedis(Redis):
    """The `isolated_redis` fixture, for the type checker: a client, and where it leads."""

    url: str


class ServiceControl(Protocol):
    """The `service_control` fixture: makes services fail, by the names of their targets, and brings them back."""

    async def stop(self, service: str) -> None:
        """Stop it in an orderly way."""

    async def kill(self, service: str) -> None:
        """Kill it, as a crash would."""

    async def start(self, service: str) -> None:
        """Start it again, at the address that it had."""

    async def pause(self, service: str) -> None:
        """Let it hang: connections stay open, nothing is answered."""

    async def resume(self, service: str) -> None:
        """Let it go on."""


class ClonedDatabase(Protocol):
    """The `cloned_database` fixture: a database of the test's own."""

    @property
    def url(self) -> str:
        """Where it is, for programs that open their own connections."""

    async def connect(self) -> DatabaseConnection:
        """Open one more connection to it; closed after the test."""


def auth_service(database: Connection, redis: Redis, clock: Clock, *, cost: ScryptCost = CHEAP) -> AuthService:
    """An auth service as tests want it."""
    return AuthService(database=database, redis=redis, key=SIGNING_KEY, clock=clock, cost=cost)
