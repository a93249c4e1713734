"""The routes: which request is which operation of the service, and which refusal is which status.

`server` connects it to a port, PostgreSQL and Redis, and says what there is to ask for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import asyncpg
from redis.asyncio import Redis

from auth.errors import (
    AuthError,
    EmailTakenError,
    ExpiredTokenError,
    InvalidTokenError,
    MalformedInputError,
    RefreshTokenReusedError,
    SessionEndedError,
    WrongCredentialsError,
)
from auth.passwords import PRODUCTION_COST, ScryptCost
from auth.service import AuthService, Grant
from auth.tokens import Clock
from web.json_http import HttpError, Json, Request, Response
from web.routes import Routes, unavailable
from web.stores import OUT_OF_REACH, check_health

_logger = logging.getLogger(__name__)

STATUS: dict[type[AuthError], HTTPStatus] = {
    MalformedInputError: HTTPStatus.BAD_REQUEST,
    EmailTakenError: HTTPStatus.CONFLICT,
    WrongCredentialsError: HTTPStatus.UNAUTHORIZED,
    InvalidTokenError: HTTPStatus.UNAUTHORIZED,
    ExpiredTokenError: HTTPStatus.UNAUTHORIZED,
    SessionEndedError: HTTPStatus.UNAUTHORIZED,
    RefreshTokenReusedError: HTTPStatus.UNAUTHORIZED,
}


class AuthApp:
    """Answers requests; holds the connections that outlive one."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        sessions: Redis,
        key: bytes,
        clock: Clock = time.time,
        cost: ScryptCost = PRODUCTION_COST,
    ) -> None:
        """Keep the connections; see `AuthService` for the rest."""
        self._pool = pool
        self._sessions = sessions
        self._key = key
        self._clock = clock
        self._cost = cost
        self._routes = Routes(
            {
                ("POST", "/auth/signup"): self._signup,
                ("POST", "/auth/login"): self._login,
                ("POST", "/auth/refresh"): self._refresh,
                ("POST", "/auth/logout"): self._logout,
                ("GET", "/auth/me"): self._me,
                ("GET", "/health"): self._health,
            }
        )

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return await self._routes.answer(request)
        except AuthError as error:
            raise HttpError(STATUS[type(error)], str(error), code=error.code) from error
        except OUT_OF_REACH as cause:
            _logger.warning("%s %s: out of reach: %r", request.method, request.path, cause)
            raise unavailable(cause) from cause

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[AuthService]:
        # One connection per request, also while it hashes a password: so the size of the pool bounds the memory that
        # hashes take, whatever arrives at once.
        async with self._pool.acquire() as connection:
            yield AuthService(
                database=connection, redis=self._sessions, key=self._key, clock=self._clock, cost=self._cost
            )

    async def _signup(self, request: Request) -> Response:
        email, password = _fields(request, "email", "password")
        async with self._service() as service:
            grant = await service.sign_up(email=email, password=password)
        return Response(status=HTTPStatus.CREATED, content=_grant(grant))

    async def _login(self, request: Request) -> Response:
        email, password = _fields(request, "email", "password")
        async with self._service() as service:
            return Response(content=_grant(await service.login(email=email, password=password)))

    async def _refresh(self, request: Request) -> Response:
        (refresh_token,) = _fields(request, "refresh_token")
        async with self._service() as service:
            return Response(content=_grant(await service.refresh(refresh_token)))

    async def _logout(self, request: Request) -> Response:
        (refresh_token,) = _fields(request, "refresh_token")
        async with self._service() as service:
            await service.logout(refresh_token)
        return Response(status=HTTPStatus.NO_CONTENT)

    async def _me(self, request: Request) -> Response:
        scheme, _, access_token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidTokenError("send the access token as Authorization: Bearer")
        async with self._service() as service:
            user = await service.authenticate(access_token.strip())
        return Response(content={"user_id": user.id, "email": user.email})

    async def _health(self, _: Request) -> Response:
        await check_health(self._pool, self._sessions)
        return Response(content={"status": "ok"})


def _fields(request: Request, *names: str) -> list[str]:
    content = request.json()
    values = [content.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, str):
            raise MalformedInputError(f"body needs {name}, a string")
    return [value for value in values if isinstance(value, str)]


def _grant(grant: Grant) -> Json:
    return {
        "user_id": grant.user_id,
        "session_id": grant.session_id,
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in_s,
    }
