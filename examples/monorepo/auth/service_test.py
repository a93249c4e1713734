"""The auth service on a real PostgreSQL and a real Redis, each test in its own transaction and its own Redis database.

Nearly every test signs up the same address: if one could see what another left behind, it would fail.
"""

from __future__ import annotations

import asyncpg
import pytest
from redis.asyncio import Redis

from auth.errors import (
    EmailTakenError,
    ExpiredTokenError,
    InvalidTokenError,
    MalformedInputError,
    RefreshTokenReusedError,
    SessionEndedError,
    WrongCredentialsError,
)
from auth.passwords import ScryptCost
from auth.service import AuthService, Grant
from auth.sessions import session_key
from auth.testing import CHEAP, DatabaseConnection, ManualClock, auth_service

EMAIL = "test@example.com"
PASSWORD = "password123"
DAY_S = 86_400

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def service(isolated_database: DatabaseConnection, isolated_redis: Redis, clock: ManualClock) -> AuthService:
    return auth_service(isolated_database, isolated_redis, clock)


@pytest.fixture
async def grant(service: AuthService) -> Grant:
    """Somebody has signed up."""
    return await service.sign_up(email=EMAIL, password=PASSWORD)


async def events(database: DatabaseConnection) -> list[str]:
    return [row["event"] for row in await database.fetch("SELECT event FROM audit ORDER BY id")]


# Sign-up


async def test_sign_up_makes_user_audit_row_and_session(
    grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis
) -> None:
    row = await isolated_database.fetchrow("SELECT id, email FROM users")
    assert row is not None
    assert (row["id"], row["email"]) == (grant.user_id, EMAIL)
    assert await events(isolated_database) == ["signed_up"]
    assert await isolated_redis.get(session_key(grant.session_id)) is not None


@pytest.mark.parametrize("again", range(6))
async def test_every_test_can_sign_up_the_same_address(
    service: AuthService, isolated_database: DatabaseConnection, isolated_redis: Redis, again: int
) -> None:
    await service.sign_up(email=EMAIL, password=f"{PASSWORD}{again}")
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == 1
    assert await isolated_redis.dbsize() == 1


async def test_password_is_nowhere_in_the_database_nor_in_redis(
    grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis
) -> None:
    assert grant.user_id
    rows = await isolated_database.fetch("SELECT users::text AS row FROM users UNION ALL SELECT audit::text FROM audit")
    stored = [row["row"] for row in rows]
    stored += [str(await isolated_redis.get(key)) for key in await isolated_redis.keys("*")]
    assert len(stored) == 3
    assert not any(PASSWORD in text for text in stored)


async def test_user_is_not_there_without_the_audit_row(
    service: AuthService, isolated_database: DatabaseConnection, isolated_redis: Redis
) -> None:
    await isolated_database.execute("ALTER TABLE audit ADD CHECK (event <> 'signed_up')")  # undone with the rest
    with pytest.raises(asyncpg.CheckViolationError):
        await service.sign_up(email=EMAIL, password=PASSWORD)
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == 0
    assert await isolated_redis.dbsize() == 0


@pytest.mark.parametrize("email", [EMAIL, "TEST@example.com", "test@EXAMPLE.com", f"  {EMAIL}\n"])
async def test_taken_address_is_refused_in_any_spelling(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, email: str
) -> None:
    with pytest.raises(EmailTakenError):
        await service.sign_up(email=email, password="another password")
    assert await events(isolated_database) == ["signed_up"]
    assert (await service.login(email=EMAIL, password=PASSWORD)).user_id == grant.user_id


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("", PASSWORD),
        ("test", PASSWORD),
        ("test@", PASSWORD),
        ("@example.com", PASSWORD),
        ("a@b@example.com", PASSWORD),
        ("te st@example.com", PASSWORD),
        ("test\x00@example.com", PASSWORD),
        ("test\ud800@example.com", PASSWORD),
        ("a@" + "b" * 253, PASSWORD),
        (EMAIL, ""),
        (EMAIL, "short12"),
        (EMAIL, "x" * 1025),
        (EMAIL, "\ud800" * 8),
    ],
    ids=ascii,
)
async def test_malformed_sign_up_is_refused_before_anything_is_stored(
    service: AuthService, isolated_database: DatabaseConnection, isolated_redis: Redis, email: str, password: str
) -> None:
    with pytest.raises(MalformedInputError):
        await service.sign_up(email=email, password=password)
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == 0
    assert await isolated_redis.dbsize() == 0


# Login


@pytest.mark.parametrize("email", [EMAIL, "Test@Example.Com", f" {EMAIL} "])
async def test_login_opens_another_session(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis, email: str
) -> None:
    login = await service.login(email=email, password=PASSWORD)
    assert login.user_id == grant.user_id
    assert login.session_id != grant.session_id
    assert await isolated_redis.dbsize() == 2
    assert await events(isolated_database) == ["signed_up", "logged_in"]
    assert (await service.authenticate(login.access_token)).last_login_at is not None


async def test_wrong_password_and_unknown_address_look_the_same(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis
) -> None:
    with pytest.raises(WrongCredentialsError) as wrong:
        await service.login(email=EMAIL, password="password124")
    with pytest.raises(WrongCredentialsError) as unknown:
        await service.login(email="nobody@example.com", password=PASSWORD)
    assert str(wrong.value) == str(unknown.value)
    assert await events(isolated_database) == ["signed_up", "login_refused"]
    assert await isolated_redis.keys("*") == [session_key(grant.session_id)]


@pytest.mark.parametrize("injection", ["' OR '1'='1", "'; DROP TABLE users; --", "' UNION SELECT * FROM users --", "%"])
async def test_sql_in_a_field_is_only_text(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, injection: str
) -> None:
    with pytest.raises(WrongCredentialsError):
        await service.login(email=EMAIL, password=injection)
    with pytest.raises((WrongCredentialsError, MalformedInputError)):
        await service.login(email=f"{EMAIL}{injection}", password=PASSWORD)
    robert = await service.sign_up(email=f"{injection.replace(' ', '')}@example.com", password=injection + PASSWORD)
    assert robert.user_id != grant.user_id
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == 2


async def test_account_with_a_placeholder_for_a_hash_cannot_be_logged_into(
    service: AuthService, isolated_database: DatabaseConnection
) -> None:
    await isolated_database.fetchval(
        "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING id", EMAIL, "hashed_password"
    )
    for password in ("hashed_password", PASSWORD):
        with pytest.raises(WrongCredentialsError):
            await service.login(email=EMAIL, password=password)


async def test_login_strengthens_a_hash_that_was_made_more_cheaply(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis, clock: ManualClock
) -> None:
    query = "SELECT password_hash FROM users"
    before = await isolated_database.fetchval(query)
    await service.login(email=EMAIL, password=PASSWORD)
    assert await isolated_database.fetchval(query) == before
    dearer = auth_service(isolated_database, isolated_redis, clock, cost=ScryptCost(log2_n=CHEAP.log2_n + 1, r=1, p=1))
    await dearer.login(email=EMAIL, password=PASSWORD)
    after = await isolated_database.fetchval(query)
    assert after.startswith("$scrypt$ln=5,")
    assert (await service.login(email=EMAIL, password=PASSWORD)).user_id == grant.user_id
    assert await isolated_database.fetchval(query) == after


# Tokens and sessions


async def test_access_token_names_its_user(service: AuthService, grant: Grant) -> None:
    other = await service.sign_up(email="other@example.com", password=PASSWORD)
    assert (await service.authenticate(grant.access_token)).email == EMAIL
    assert (await service.authenticate(other.access_token)).email == "other@example.com"


async def test_access_token_expires_and_refresh_token_gets_the_next(
    service: AuthService, grant: Grant, clock: ManualClock
) -> None:
    clock.advance(grant.expires_in_s)
    with pytest.raises(ExpiredTokenError):
        await service.authenticate(grant.access_token)
    renewed = await service.refresh(grant.refresh_token)
    assert renewed.session_id == grant.session_id
    assert (await service.authenticate(renewed.access_token)).id == grant.user_id


async def test_session_can_be_kept_alive_for_weeks_but_not_left_alone(
    service: AuthService, grant: Grant, clock: ManualClock
) -> None:
    for _ in range(3):
        clock.advance(13 * DAY_S)
        grant = await service.refresh(grant.refresh_token)
    clock.advance(14 * DAY_S)
    with pytest.raises(SessionEndedError):
        await service.refresh(grant.refresh_token)


async def test_reused_refresh_token_ends_the_session_of_thief_and_owner(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection
) -> None:
    thief = await service.refresh(grant.refresh_token)
    with pytest.raises(RefreshTokenReusedError):
        await service.refresh(grant.refresh_token)
    with pytest.raises(SessionEndedError):
        await service.refresh(thief.refresh_token)
    with pytest.raises(SessionEndedError):
        await service.authenticate(thief.access_token)
    assert await events(isolated_database) == ["signed_up", "refresh_token_reused"]


async def test_one_kind_of_token_does_not_pass_for_the_other(service: AuthService, grant: Grant) -> None:
    with pytest.raises(InvalidTokenError):
        await service.refresh(grant.access_token)
    with pytest.raises(InvalidTokenError):
        await service.logout(grant.access_token)
    with pytest.raises(InvalidTokenError):
        await service.authenticate(grant.refresh_token)


async def test_logout_counts_at_once_and_only_there(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection
) -> None:
    elsewhere = await service.login(email=EMAIL, password=PASSWORD)
    await service.logout(grant.refresh_token)
    await service.logout(grant.refresh_token)
    with pytest.raises(SessionEndedError):
        await service.authenticate(grant.access_token)
    with pytest.raises(SessionEndedError):
        await service.refresh(grant.refresh_token)
    assert (await service.authenticate(elsewhere.access_token)).id == grant.user_id
    assert await events(isolated_database) == ["signed_up", "logged_in", "logged_out"]


@pytest.mark.parametrize("asks", ["authenticate", "refresh"])
async def test_session_of_a_deleted_user_ends_when_it_is_used(
    service: AuthService, grant: Grant, isolated_database: DatabaseConnection, isolated_redis: Redis, asks: str
) -> None:
    await isolated_database.execute("DELETE FROM users WHERE id = $1", grant.user_id)
    use = service.refresh(grant.refresh_token) if asks == "refresh" else service.authenticate(grant.access_token)
    with pytest.raises(SessionEndedError):
        await use
    assert await isolated_redis.dbsize() == 0


async def test_session_that_redis_lost_is_over_but_the_account_is_not(
    service: AuthService, grant: Grant, isolated_redis: Redis
) -> None:
    await isolated_redis.flushdb()
    with pytest.raises(SessionEndedError):
        await service.authenticate(grant.access_token)
    assert (await service.login(email=EMAIL, password=PASSWORD)).user_id == grant.user_id
