"""The audit trail, with transactions that are really committed: the target says `isolation = "database"`.

Inside of one transaction `now()` does not change, so the order of the trail could not be told there.
"""

from __future__ import annotations

import asyncpg
import pytest
from redis.asyncio import Redis

from auth import audit
from auth.audit import AuditEvent
from auth.testing import DatabaseConnection, ManualClock, auth_service
from auth.users import User, Users

EMAIL = "test@example.com"
PASSWORD = "password123"

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
async def user(isolated_database: DatabaseConnection) -> User:
    return await Users(isolated_database).create(email=EMAIL, password_hash="")


async def test_trail_tells_what_happened_and_when(isolated_database: DatabaseConnection, isolated_redis: Redis) -> None:
    service = auth_service(isolated_database, isolated_redis, ManualClock())
    await service.sign_up(email=EMAIL, password=PASSWORD)
    grant = await service.login(email=EMAIL, password=PASSWORD)
    await service.logout(grant.refresh_token)
    trail = await isolated_database.fetch("SELECT event, at FROM audit ORDER BY at")
    assert [row["event"] for row in trail] == ["signed_up", "logged_in", "logged_out"]
    assert len({row["at"] for row in trail}) == 3


async def test_each_login_is_later_than_the_one_before(
    isolated_database: DatabaseConnection, isolated_redis: Redis
) -> None:
    service = auth_service(isolated_database, isolated_redis, ManualClock())
    await service.sign_up(email=EMAIL, password=PASSWORD)
    times = []
    for _ in range(3):
        grant = await service.login(email=EMAIL, password=PASSWORD)
        times.append(await isolated_database.fetchval("SELECT last_login_at FROM users WHERE id = $1", grant.user_id))
    assert times == sorted(set(times))


@pytest.mark.parametrize("event", AuditEvent)
async def test_database_knows_every_event(isolated_database: DatabaseConnection, user: User, event: AuditEvent) -> None:
    await audit.record(isolated_database, user.id, event)
    trail = await isolated_database.fetch("SELECT user_id, event FROM audit")
    assert [(row["user_id"], row["event"]) for row in trail] == [(user.id, event)]


async def test_database_refuses_an_event_it_does_not_know(isolated_database: DatabaseConnection, user: User) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await isolated_database.execute("INSERT INTO audit (user_id, event) VALUES ($1, 'made_up')", user.id)


async def test_trail_goes_with_the_user(isolated_database: DatabaseConnection, user: User) -> None:
    await audit.record(isolated_database, user.id, AuditEvent.SIGNED_UP)
    await isolated_database.execute("DELETE FROM users WHERE id = $1", user.id)
    assert await isolated_database.fetchval("SELECT count(*) FROM audit") == 0
    await audit.record(isolated_database, user.id, AuditEvent.LOGGED_OUT)
    assert await isolated_database.fetchval("SELECT count(*) FROM audit") == 0
