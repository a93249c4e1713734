"""Sign-up, login, refresh, logout: what the auth service does, on a database connection and a Redis client.

Nothing here opens a connection or knows about HTTP. `app` makes one `AuthService` per request on a pooled connection; a
test makes one on its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from redis.asyncio import Redis

from auth import audit
from auth.audit import AuditEvent
from auth.credentials import checked_email, checked_new_password, checked_password
from auth.database import Connection
from auth.errors import RefreshTokenReusedError, SessionEndedError, WrongCredentialsError
from auth.passwords import PRODUCTION_COST, ScryptCost, hash_password, needs_rehash, verify_password
from auth.sessions import Session, Sessions
from auth.tokens import AccessTokens, Clock
from auth.users import User, Users


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a signed-in client gets.

    Attributes:
        user_id: who they are.
        session_id: the session that was opened or refreshed.
        access_token: proves who they are to any of our services, for `expires_in_s`.
        refresh_token: good for one `refresh`.
        expires_in_s: lifetime of the access token.
    """

    user_id: int
    session_id: str
    access_token: str
    refresh_token: str
    expires_in_s: int


class AuthService:
    """The operations. Every one raises a subclass of `AuthError` for what it refuses."""

    def __init__(
        self,
        *,
        database: Connection,
        redis: Redis,
        key: bytes,
        clock: Clock = time.time,
        cost: ScryptCost = PRODUCTION_COST,
    ) -> None:
        """Put the parts together.

        Args:
            database: an open connection; transactions are opened on it as needed, savepoints if it is in one.
            redis: a client on the database that holds the sessions.
            key: what tokens are signed with; at least 32 bytes.
            clock: seconds since the epoch, for everything that expires.
            cost: of new password hashes. Tests pass a cheap one.
        """
        self._database = database
        self._users = Users(database)
        self._tokens = AccessTokens(key, clock=clock)
        self._sessions = Sessions(redis, key=key, clock=clock)
        self._cost = cost

    async def sign_up(self, *, email: str, password: str) -> Grant:
        """Create an account and sign in.

        Raises:
            MalformedInputError: address or password are out of limits.
            EmailTakenError: there is such an account.
        """
        email, password = checked_email(email), checked_new_password(password)
        password_hash = await asyncio.to_thread(hash_password, password, self._cost)
        async with self._database.transaction():
            user = await self._users.create(email=email, password_hash=password_hash)
            await audit.record(self._database, user.id, AuditEvent.SIGNED_UP)
        return self._grant(*await self._sessions.open(user.id))

    async def login(self, *, email: str, password: str) -> Grant:
        """Sign in with a password.

        Raises:
            MalformedInputError: address or password cannot be any account's.
            WrongCredentialsError: no such account, or not its password.
        """
        email, password = checked_email(email), checked_password(password)
        user = await self._users.find_by_email(email)
        if user is None:
            # As much work as for a wrong password, so that the time of the answer does not tell the two apart.
            await asyncio.to_thread(hash_password, password, self._cost)
            raise WrongCredentialsError("e-mail address or password is wrong")
        if not await asyncio.to_thread(verify_password, password, user.password_hash):
            await audit.record(self._database, user.id, AuditEvent.LOGIN_REFUSED)
            raise WrongCredentialsError("e-mail address or password is wrong")
        await self._strengthen(user, password)
        async with self._database.transaction():
            await self._users.record_login(user.id)
            await audit.record(self._database, user.id, AuditEvent.LOGGED_IN)
        return self._grant(*await self._sessions.open(user.id))

    async def refresh(self, refresh_token: str) -> Grant:
        """Exchange a refresh token for a new pair of tokens.

        Raises:
            InvalidTokenError: not made by this service.
            RefreshTokenReusedError: used before; the session has been ended, for the thief as for the owner.
            SessionEndedError: logged out, expired, or the account is gone.
        """
        try:
            session, next_token = await self._sessions.refresh(refresh_token)
        except RefreshTokenReusedError as reuse:
            await audit.record(self._database, reuse.user_id, AuditEvent.REFRESH_TOKEN_REUSED)
            raise
        await self._owner(session)
        return self._grant(session, next_token)

    async def logout(self, refresh_token: str) -> None:
        """End the session of a refresh token; a second time is as good as the first.

        Raises:
            InvalidTokenError: not made by this service.
        """
        session = await self._sessions.end_by_token(refresh_token)
        if session is not None:
            await audit.record(self._database, session.user_id, AuditEvent.LOGGED_OUT)

    async def authenticate(self, access_token: str) -> User:
        """Say whose access token this is. Asks Redis too, so that a logout counts at once.

        Raises:
            InvalidTokenError: not made by this service.
            ExpiredTokenError: over; time for `refresh`.
            SessionEndedError: logged out, expired, or the account is gone.
        """
        claims = self._tokens.verify(access_token)
        return await self._owner(await self._sessions.find(claims.session_id))

    async def _owner(self, session: Session) -> User:
        user = await self._users.find(session.user_id)
        if user is None:
            await self._sessions.end(session.id)
            raise SessionEndedError("session is over")
        return user

    async def _strengthen(self, user: User, password: str) -> None:
        """Re-hash a password that was hashed more cheaply than today; only now is it known in clear."""
        if needs_rehash(user.password_hash, self._cost):
            password_hash = await asyncio.to_thread(hash_password, password, self._cost)
            await self._users.set_password_hash(user.id, password_hash, previous=user.password_hash)

    def _grant(self, session: Session, refresh_token: str) -> Grant:
        return Grant(
            user_id=session.user_id,
            session_id=session.id,
            access_token=self._tokens.issue(user_id=session.user_id, session_id=session.id),
            refresh_token=refresh_token,
            expires_in_s=self._tokens.lifetime_s,
        )
