"""The HTTP API: which request is which operation, and which refusal is which status.

`server` connects it to a port, and says what there is to ask for.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import asyncpg
from redis.asyncio import Redis

from auth.errors import AuthError
from auth.tokens import AccessTokens
from backend.chat import ChatService
from backend.errors import BackendError, MalformedInputError, UnknownThreadError, UnknownUserError
from backend.frames import checked_number, checked_text
from backend.identity import identify
from backend.messages import to_frame
from web.json_http import HttpError, Request, Response
from web.routes import Routes, unavailable
from web.stores import OUT_OF_REACH, check_health

STATUS: dict[type[BackendError], HTTPStatus] = {
    MalformedInputError: HTTPStatus.BAD_REQUEST,
    UnknownUserError: HTTPStatus.NOT_FOUND,
    UnknownThreadError: HTTPStatus.NOT_FOUND,
}
_TITLE_MAX = 200
_MEMBERS_MAX = 100
_PAGE = 100

_logger = logging.getLogger(__name__)


class BackendApi:
    """Answers requests."""

    def __init__(self, *, chat: ChatService, tokens: AccessTokens, pool: asyncpg.Pool, redis: Redis) -> None:
        """Keep the parts.

        Args:
            chat: the operations.
            tokens: says whose a token is.
            pool: to ask for its health.
            redis: likewise.
        """
        self._chat = chat
        self._tokens = tokens
        self._pool = pool
        self._redis = redis
        self._routes = Routes(
            {
                ("GET", "/health"): self._health,
                ("GET", "/api/users/{id}"): self._user,
                ("GET", "/api/threads"): self._threads,
                ("POST", "/api/threads"): self._create_thread,
                ("GET", "/api/threads/{id}/messages"): self._messages,
            }
        )

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return await self._routes.answer(request)
        except AuthError as error:
            raise HttpError(HTTPStatus.UNAUTHORIZED, str(error), code=error.code) from error
        except BackendError as error:
            raise HttpError(STATUS[type(error)], str(error), code=error.code) from error
        except OUT_OF_REACH as cause:
            _logger.warning("%s %s: out of reach: %r", request.method, request.path, cause)
            raise unavailable(cause) from cause

    def _asking(self, request: Request) -> int:
        # No token from the query: URLs are logged.
        return identify(self._tokens, headers=request.headers, query={}).user_id

    async def _health(self, _: Request) -> Response:
        await check_health(self._pool, self._redis)
        return Response(content={"status": "ok"})

    async def _user(self, request: Request, user_id: int) -> Response:
        self._asking(request)
        user = await self._chat.user(user_id)
        if user is None:
            raise UnknownUserError(f"there is no user {user_id}")
        return Response(content={"user_id": user.id, "email": user.email})

    async def _threads(self, request: Request) -> Response:
        asking = self._asking(request)
        unread = await self._chat.unread.of(asking)
        threads = [
            {
                "thread_id": thread.id,
                "title": thread.title,
                "last_number": thread.last_number,
                "unread": unread.get(thread.id, 0),
            }
            for thread in await self._chat.threads(asking)
        ]
        return Response(content={"threads": threads})

    async def _create_thread(self, request: Request) -> Response:
        asking, content = self._asking(request), dict(request.json())
        members = content.get("members")
        if not isinstance(members, list) or len(members) > _MEMBERS_MAX:
            raise MalformedInputError(f"members must be a list of at most {_MEMBERS_MAX} user ids")
        thread = await self._chat.create_thread(
            asking,
            title=checked_text(content, "title", _TITLE_MAX),
            members=[checked_number(member, "each of members") for member in members],
        )
        return Response(status=HTTPStatus.CREATED, content={"thread_id": thread.id, "title": thread.title})

    async def _messages(self, request: Request, thread_id: int) -> Response:
        messages = await self._chat.messages(
            self._asking(request),
            thread_id=thread_id,
            after=_number(request, "after", default=0),
            limit=_number(request, "limit", default=_PAGE),
        )
        return Response(content={"messages": [to_frame(message) for message in messages]})


def _number(request: Request, name: str, *, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedInputError(f"{name} must be a number")
    return int(text)
