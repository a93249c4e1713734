"""Races between requests, which need several connections that commit: a cloned database instead of one transaction."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from auth.errors import EmailTakenError, RefreshTokenReusedError, SessionEndedError
from auth.passwords import ScryptCost, needs_rehash
from auth.service import AuthService, Grant
from auth.testing import CHEAP, ClonedDatabase, ManualClock, auth_service
from auth.users import Users

EMAIL = "test@example.com"
PASSWORD = "password123"
AT_ONCE = 6

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
async def services(cloned_database: ClonedDatabase, isolated_redis: Redis) -> list[AuthService]:
    """As many services, each on a connection of its own: what a pool makes of as many requests."""
    clock = ManualClock()
    connections = [await cloned_database.connect() for _ in range(AT_ONCE)]
    return [auth_service(connection, isolated_redis, clock) for connection in connections]


async def test_of_many_sign_ups_at_once_one_wins(services: list[AuthService], cloned_database: ClonedDatabase) -> None:
    outcomes = await asyncio.gather(
        *(service.sign_up(email=EMAIL, password=f"{PASSWORD}{at}") for at, service in enumerate(services)),
        return_exceptions=True,
    )
    winners = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, Grant)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, EmailTakenError) for outcome in outcomes) == AT_ONCE - 1
    login = await services[0].login(email=EMAIL, password=f"{PASSWORD}{winners[0]}")
    database = await cloned_database.connect()
    assert await database.fetchval("SELECT array_agg(id) FROM users") == [login.user_id]
    assert await database.fetchval("SELECT count(*) FROM audit WHERE event = 'signed_up'") == 1


async def test_address_is_free_again_when_the_sign_up_before_is_rolled_back(
    services: list[AuthService], cloned_database: ClonedDatabase
) -> None:
    first = await cloned_database.connect()
    await first.execute("BEGIN")
    await Users(first).create(email=EMAIL, password_hash="")
    second = asyncio.create_task(services[0].sign_up(email=EMAIL, password=PASSWORD))
    await waiting_for_a_lock(cloned_database)  # it can neither fail nor succeed before the first one ends
    assert not second.done()
    await first.execute("ROLLBACK")
    assert (await second).user_id == (await services[1].login(email=EMAIL, password=PASSWORD)).user_id


async def test_one_refresh_token_refreshes_once_whoever_asks(services: list[AuthService]) -> None:
    grant = await services[0].sign_up(email=EMAIL, password=PASSWORD)
    outcomes = await asyncio.gather(
        *(service.refresh(grant.refresh_token) for service in services), return_exceptions=True
    )
    assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RefreshTokenReusedError | SessionEndedError) for outcome in outcomes) == AT_ONCE - 1


async def test_logins_at_once_strengthen_a_hash_once_and_all_succeed(
    services: list[AuthService], cloned_database: ClonedDatabase, isolated_redis: Redis
) -> None:
    grant = await services[0].sign_up(email=EMAIL, password=PASSWORD)
    dearer = ScryptCost(log2_n=CHEAP.log2_n + 2, r=1, p=1)
    connections = [await cloned_database.connect() for _ in range(AT_ONCE)]
    logins = await asyncio.gather(
        *(
            auth_service(connection, isolated_redis, ManualClock(), cost=dearer).login(email=EMAIL, password=PASSWORD)
            for connection in connections
        )
    )
    assert {login.user_id for login in logins} == {grant.user_id}
    assert len({login.session_id for login in logins}) == AT_ONCE
    user = await Users(connections[0]).find(grant.user_id)
    assert user is not None
    assert not needs_rehash(user.password_hash, dearer)
    assert (await services[0].login(email=EMAIL, password=PASSWORD)).user_id == grant.user_id


async def waiting_for_a_lock(database: ClonedDatabase) -> None:
    """Return when some connection to the database waits for another one's transaction to end."""
    observer = await database.connect()
    async with asyncio.timeout(10):
        while not await observer.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            pass
