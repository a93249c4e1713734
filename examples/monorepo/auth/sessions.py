"""Sessions in Redis, and the refresh tokens that keep them alive.

A session is a JSON text under `session:<id>`, with a time to live. Each refresh makes a new refresh token and the old
one worthless; if a token comes back a second time, one of the two who used it is a thief, and as nobody can tell which,
the session ends (RFC 9700, 4.14.2).

A refresh token is `<session id>.<generation>.<signature>`. The signature tells a token that was used up (an older
generation, signed by us) from one that was made up, which must not end anybody's session. Redis holds the generation
and no secret: whoever reads it cannot make a token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, replace

from redis.asyncio import Redis
from redis.exceptions import WatchError

from auth.errors import InvalidTokenError, RefreshTokenReusedError, SessionEndedError
from auth.tokens import Clock, b64url

_DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Session:
    """A signed-in device.

    Attributes:
        id: 128 random bits; also in the access tokens of the session.
        user_id: whose it is.
        generation: of the one refresh token that is good now.
        idle_deadline: when it ends unless refreshed; seconds since the epoch.
        final_deadline: when it ends even so.
    """

    id: str
    user_id: int
    generation: int
    idle_deadline: int
    final_deadline: int


class Sessions:
    """Opens, refreshes and ends sessions in one Redis."""

    def __init__(
        self, redis: Redis, *, key: bytes, clock: Clock, idle_s: int = 14 * _DAY_S, longest_s: int = 90 * _DAY_S
    ) -> None:
        """Keep the client.

        Args:
            redis: a client on the database that holds the sessions.
            key: what refresh tokens are signed with.
            clock: seconds since the epoch.
            idle_s: a session that is not refreshed for so long ends.
            longest_s: no session is longer than this.
        """
        self._redis = redis
        # A key of its own, so that no access token can ever pass for a refresh token, or the other way round.
        self._key = hmac.digest(key, b"refresh tokens", hashlib.sha256)
        self._clock = clock
        self._idle_s = idle_s
        self._longest_s = longest_s

    async def open(self, user_id: int) -> tuple[Session, str]:
        """Start a session.

        Returns:
            The session, and its first refresh token.
        """
        now = int(self._clock())
        session = Session(
            id=secrets.token_urlsafe(16),
            user_id=user_id,
            generation=1,
            idle_deadline=now + min(self._idle_s, self._longest_s),
            final_deadline=now + self._longest_s,
        )
        await self._redis.set(session_key(session.id), _encode(session), ex=self._ttl_s(session))
        return session, self._refresh_token(session)

    async def find(self, session_id: str) -> Session:
        """Read a session.

        Raises:
            SessionEndedError: it is not there, or over.
        """
        return self._alive(await self._redis.get(session_key(session_id)))

    async def refresh(self, refresh_token: str) -> tuple[Session, str]:
        """Exchange a refresh token for the next one. Of any number of tries with one token, at most one succeeds.

        Returns:
            The session with its new generation, and the refresh token of that generation.

        Raises:
            InvalidTokenError: not made by this service.
            SessionEndedError: the session is over.
            RefreshTokenReusedError: the token was used before; the session is over now.
        """
        session_id, generation = self._read_token(refresh_token)
        while True:
            try:
                session = await self._advance(session_id, generation)
                return session, self._refresh_token(session)
            except WatchError:
                # Between our read and our write somebody refreshed or ended the session. The next read tells which,
                # and does not come here again: the generation is past ours then, or the session is gone.
                continue

    async def end(self, session_id: str) -> Session | None:
        """End a session.

        Returns:
            The session as it was; None if there was none. Of two at once, one gets it.
        """
        stored = await self._redis.getdel(session_key(session_id))
        return None if stored is None else _decode(stored)

    async def end_by_token(self, refresh_token: str) -> Session | None:
        """End the session that a refresh token belongs to, used up or not: who holds it may log out.

        Raises:
            InvalidTokenError: not made by this service.
        """
        session_id, _ = self._read_token(refresh_token)
        return await self.end(session_id)

    async def _advance(self, session_id: str, generation: int) -> Session:
        key = session_key(session_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(key)  # from here on, a change by anybody else makes `execute` fail
            session = self._alive(await pipe.get(key))
            if generation != session.generation:
                await self.end(session_id)
                raise RefreshTokenReusedError(user_id=session.user_id)
            renewed = self._renewed(session)
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py annotates all but this one
            pipe.set(key, _encode(renewed), ex=self._ttl_s(renewed))
            await pipe.execute()
        return renewed

    def _alive(self, stored: bytes | str | None) -> Session:
        if stored is None:
            raise SessionEndedError("session is over")
        session = _decode(stored)
        if session.idle_deadline <= self._clock():  # Redis drops it too, by its own clock and to the second
            raise SessionEndedError("session is over")
        return session

    def _renewed(self, session: Session) -> Session:
        deadline = min(int(self._clock()) + self._idle_s, session.final_deadline)
        return replace(session, generation=session.generation + 1, idle_deadline=deadline)

    def _ttl_s(self, session: Session) -> int:
        return max(1, session.idle_deadline - int(self._clock()))

    def _refresh_token(self, session: Session) -> str:
        signed = f"{session.id}.{session.generation}"
        return f"{signed}.{self._signature(signed)}"

    def _read_token(self, refresh_token: str) -> tuple[str, int]:
        signed, _, signature = refresh_token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode(errors="replace")):
            raise InvalidTokenError("refresh token is not signed by this service")
        session_id, _, generation = signed.partition(".")
        return session_id, int(generation)

    def _signature(self, signed: str) -> str:
        return b64url(hmac.digest(self._key, signed.encode(errors="replace"), hashlib.sha256))


def session_key(session_id: str) -> str:
    """The Redis key of a session."""
    return f"session:{session_id}"


def _encode(session: Session) -> str:
    return json.dumps(asdict(session))


def _decode(stored: bytes | str) -> Session:
    return Session(**json.loads(stored))
