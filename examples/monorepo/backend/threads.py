"""Threads, their members and their messages in PostgreSQL: `migrations/` is the schema, this module all its queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from auth.database import Row
from backend.database import Connection
from backend.errors import UnknownThreadError, UnknownUserError
from backend.messages import Message


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread as a member sees it."""

    id: int
    title: str
    last_number: int


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What became of a message.

    Attributes:
        message: as it is stored.
        members: who is to get it, the sender included.
        is_new: False if the same message was stored before.
    """

    message: Message
    members: frozenset[int]
    is_new: bool


class Threads:
    """The queries, on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Use `connection` as it is: whoever opened a transaction on it ends it."""
        self._connection = connection

    async def create(self, *, title: str, members: Iterable[int]) -> Thread:
        """Start a thread.

        Raises:
            UnknownUserError: a member does not exist. Nothing was stored.
        """
        try:
            async with self._connection.transaction():
                row = await self._connection.fetchrow("INSERT INTO threads (title) VALUES ($1) RETURNING *", title)
                assert row is not None  # an INSERT with RETURNING gives its row or raises
                await self._connection.execute(
                    "INSERT INTO members (thread_id, user_id) SELECT DISTINCT $1::bigint, unnest($2::bigint[])",
                    row["id"],
                    list(members),
                )
        except asyncpg.ForeignKeyViolationError as cause:
            raise UnknownUserError("one of the members does not exist") from cause
        return _thread(row)

    async def of_member(self, user_id: int) -> list[Thread]:
        """List a user's threads, oldest first."""
        rows = await self._connection.fetch(
            "SELECT threads.* FROM threads JOIN members ON thread_id = id WHERE user_id = $1 ORDER BY id", user_id
        )
        return [_thread(row) for row in rows]

    async def post(self, *, thread_id: int, sender_id: int, text: str, client_id: str | None = None) -> Posted:
        """Store a message under the next number of its thread.

        Of any number of times that a sender posts the same `client_id`, the first counts.

        Raises:
            UnknownThreadError: not a thread of the sender's.
        """
        async with self._connection.transaction():
            # Locks the thread: numbers are committed in their order, and nobody else looks for the client's id now.
            last_number = await self._connection.fetchval(
                "SELECT last_number FROM threads JOIN members ON thread_id = id "
                "WHERE id = $1 AND user_id = $2 FOR UPDATE OF threads",
                thread_id,
                sender_id,
            )
            if last_number is None:
                raise UnknownThreadError(f"thread {thread_id} is not one of yours")
            row = await self._connection.fetchrow(
                "SELECT * FROM messages WHERE thread_id = $1 AND sender_id = $2 AND client_id = $3",
                thread_id,
                sender_id,
                client_id,
            )
            is_new = row is None
            if row is None:
                row = await self._add(thread_id, last_number + 1, sender_id, client_id, text)
            members = await self._connection.fetch("SELECT user_id FROM members WHERE thread_id = $1", thread_id)
        return Posted(message=_message(row), members=frozenset(member["user_id"] for member in members), is_new=is_new)

    async def messages(self, *, thread_id: int, reader_id: int, after: int, limit: int) -> list[Message]:
        """List messages of a thread by number, those that come after a number.

        Raises:
            UnknownThreadError: not a thread of the reader's.
        """
        if not await self.is_member(thread_id=thread_id, user_id=reader_id):
            raise UnknownThreadError(f"thread {thread_id} is not one of yours")
        rows = await self._connection.fetch(
            "SELECT * FROM messages WHERE thread_id = $1 AND number > $2 ORDER BY number LIMIT $3",
            thread_id,
            after,
            limit,
        )
        return [_message(row) for row in rows]

    async def is_member(self, *, thread_id: int, user_id: int) -> bool:
        """Say whether a thread is a user's."""
        query = "SELECT EXISTS (SELECT FROM members WHERE thread_id = $1 AND user_id = $2)"
        return bool(await self._connection.fetchval(query, thread_id, user_id))

    async def _add(self, thread_id: int, number: int, sender_id: int, client_id: str | None, text: str) -> Row:
        await self._connection.execute("UPDATE threads SET last_number = $2 WHERE id = $1", thread_id, number)
        row = await self._connection.fetchrow(
            "INSERT INTO messages (thread_id, number, sender_id, client_id, text) VALUES ($1, $2, $3, $4, $5) "
            "RETURNING *",
            thread_id,
            number,
            sender_id,
            client_id,
            text,
        )
        assert row is not None  # an INSERT with RETURNING gives its row or raises
        return row


def _thread(row: Row) -> Thread:
    return Thread(id=row["id"], title=row["title"], last_number=row["last_number"])


def _message(row: Row) -> Message:
    names = ("thread_id", "number", "sender_id", "client_id", "text", "sent_at")
    return Message(**{name: row[name] for name in names})
