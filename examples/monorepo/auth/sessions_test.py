"""Sessions in a real Redis, each test in a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from auth.errors import InvalidTokenError, RefreshTokenReusedError, SessionEndedError
from auth.sessions import Session, Sessions, session_key
from auth.testing import SIGNING_KEY, IsolatedRedis, ManualClock

IDLE_S = 600
LONGEST_S = 1500

pytestmark = pytest.mark.requires_redis


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sessions(isolated_redis: IsolatedRedis, clock: ManualClock) -> Sessions:
    return sessions_in(isolated_redis, clock)


def sessions_in(redis: Redis, clock: ManualClock) -> Sessions:
    return Sessions(redis, key=SIGNING_KEY, clock=clock, idle_s=IDLE_S, longest_s=LONGEST_S)


async def test_session_is_one_key_with_a_time_to_live(sessions: Sessions, isolated_redis: IsolatedRedis) -> None:
    session, _ = await sessions.open(7)
    assert await isolated_redis.keys("*") == [f"session:{session.id}"]
    assert IDLE_S - 5 <= await isolated_redis.ttl(session_key(session.id)) <= IDLE_S
    assert await sessions.find(session.id) == session
    assert session.user_id == 7


@pytest.mark.parametrize("again", range(4))
async def test_every_test_finds_redis_empty(sessions: Sessions, isolated_redis: IsolatedRedis, again: int) -> None:
    assert await isolated_redis.dbsize() == 0
    await sessions.open(again)
    await isolated_redis.set("session:the same key in every test", again, nx=True)
    assert await isolated_redis.get("session:the same key in every test") == f"{again}"


async def test_two_sessions_of_one_user_are_apart(sessions: Sessions) -> None:
    (phone, _), (laptop, laptop_token) = await sessions.open(7), await sessions.open(7)
    await sessions.end(phone.id)
    with pytest.raises(SessionEndedError):
        await sessions.find(phone.id)
    renewed, _ = await sessions.refresh(laptop_token)
    assert renewed.id == laptop.id


async def test_refresh_gives_the_next_token(sessions: Sessions) -> None:
    session, first = await sessions.open(7)
    renewed, second = await sessions.refresh(first)
    assert first != second
    assert (renewed.id, renewed.user_id, renewed.generation) == (session.id, 7, 2)
    assert (await sessions.refresh(second))[0].generation == 3


async def test_reused_token_ends_the_session_for_the_new_one_too(
    sessions: Sessions, isolated_redis: IsolatedRedis
) -> None:
    _, stolen = await sessions.open(7)
    _, newest = await sessions.refresh(stolen)
    with pytest.raises(RefreshTokenReusedError) as refusal:
        await sessions.refresh(stolen)
    assert refusal.value.user_id == 7
    assert await isolated_redis.dbsize() == 0
    with pytest.raises(SessionEndedError):
        await sessions.refresh(newest)


async def test_of_many_refreshes_at_once_one_succeeds(sessions: Sessions) -> None:
    session, token = await sessions.open(7)
    outcomes = await asyncio.gather(*(sessions.refresh(token) for _ in range(16)), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RefreshTokenReusedError | SessionEndedError) for outcome in outcomes) == 15
    with pytest.raises(SessionEndedError):
        await sessions.find(session.id)


async def test_refreshes_of_different_sessions_do_not_disturb_each_other(sessions: Sessions) -> None:
    opened = [await sessions.open(user_id) for user_id in range(16)]
    renewed = await asyncio.gather(*(sessions.refresh(token) for _, token in opened))
    assert [session.user_id for session, _ in renewed] == list(range(16))


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: "",
        lambda token: token + "x",
        lambda token: token.replace(".1.", ".2."),
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: "\ud800." + token,
    ],
    ids=["empty", "longer", "of the next generation", "unsigned", "no unicode"],
)
async def test_made_up_token_is_refused_and_harms_nobody(sessions: Sessions, forge: Callable[[str], str]) -> None:
    session, token = await sessions.open(7)
    with pytest.raises(InvalidTokenError):
        await sessions.refresh(forge(token))
    with pytest.raises(InvalidTokenError):
        await sessions.end_by_token(forge(token))
    assert await sessions.find(session.id) == session


async def test_idle_session_ends(sessions: Sessions, clock: ManualClock) -> None:
    session, token = await sessions.open(7)
    clock.advance(IDLE_S - 1)
    assert await sessions.find(session.id) == session
    clock.advance(1)
    with pytest.raises(SessionEndedError):
        await sessions.find(session.id)
    with pytest.raises(SessionEndedError):
        await sessions.refresh(token)


async def test_refreshed_session_lives_on_but_not_for_ever(
    sessions: Sessions, clock: ManualClock, isolated_redis: IsolatedRedis
) -> None:
    session, token = await sessions.open(7)
    for left in (IDLE_S, 1500 - 2 * 500):  # the second refresh, at 1000 s, is granted no more than the longest
        clock.advance(500)
        session, token = await sessions.refresh(token)
        assert left - 5 <= await isolated_redis.ttl(session_key(session.id)) <= left
    clock.advance(500)
    with pytest.raises(SessionEndedError):
        await sessions.refresh(token)


async def test_session_that_redis_dropped_is_over(sessions: Sessions, isolated_redis: IsolatedRedis) -> None:
    session, token = await sessions.open(7)
    assert await isolated_redis.expireat(session_key(session.id), 1)  # long past: gone at once
    with pytest.raises(SessionEndedError):
        await sessions.refresh(token)


async def test_session_outlives_the_connection_that_made_it(
    sessions: Sessions, isolated_redis: IsolatedRedis, clock: ManualClock
) -> None:
    session, token = await sessions.open(7)
    await isolated_redis.connection_pool.disconnect()
    assert await sessions.find(session.id) == session
    async with Redis.from_url(isolated_redis.url, decode_responses=True) as another:
        renewed, _ = await sessions_in(another, clock).refresh(token)
    assert await sessions.find(session.id) == renewed


async def test_client_may_answer_in_bytes(
    sessions: Sessions, isolated_redis: IsolatedRedis, clock: ManualClock
) -> None:
    session, token = await sessions.open(7)
    async with Redis.from_url(isolated_redis.url) as raw:
        assert await sessions_in(raw, clock).find(session.id) == session
        assert (await sessions_in(raw, clock).refresh(token))[0].generation == 2


async def test_who_reads_redis_cannot_refresh(sessions: Sessions, isolated_redis: IsolatedRedis) -> None:
    session, token = await sessions.open(7)
    stored = await isolated_redis.get(session_key(session.id))
    assert isinstance(stored, str)
    assert token.rpartition(".")[2] not in stored


async def test_end_tells_which_session_it_was_and_only_once(sessions: Sessions) -> None:
    session, token = await sessions.open(7)
    await sessions.refresh(token)
    ended = await sessions.end_by_token(token)  # used up, but its holder may still leave
    assert isinstance(ended, Session)
    assert (ended.id, ended.user_id) == (session.id, 7)
    assert await sessions.end_by_token(token) is None
