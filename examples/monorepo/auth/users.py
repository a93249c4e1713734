"""Users in PostgreSQL: `migrations/001_users.sql` is the schema, this module all its queries.

E-mail addresses keep the case they were given and are unique without regard to it, by an index on `lower(email)`: the
database decides a race between two sign-ups, not a look-up made before the insert.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from auth.database import Connection, Row
from auth.errors import EmailTakenError


@dataclass(frozen=True, kw_only=True)
class User:
    """One row of `users`."""

    id: int
    email: str
    password_hash: str
    created_at: datetime
    last_login_at: datetime | None


class Users:
    """The queries, on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Use `connection` as it is: whoever opened a transaction on it ends it."""
        self._connection = connection

    async def create(self, *, email: str, password_hash: str) -> User:
        """Insert a user.

        Raises:
            EmailTakenError: the address has an account. The transaction that this ran in is aborted by then (asyncpg's
                `transaction()` around the call makes that a savepoint's affair).
        """
        try:
            row = await self._connection.fetchrow(
                "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING *", email, password_hash
            )
        except asyncpg.UniqueViolationError as cause:
            raise EmailTakenError("there is already an account with this e-mail address") from cause
        assert row is not None  # an INSERT with RETURNING gives its row or raises
        return _user(row)

    async def find(self, user_id: int) -> User | None:
        """Look a user up by id."""
        row = await self._connection.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
        return None if row is None else _user(row)

    async def find_by_email(self, email: str) -> User | None:
        """Look a user up by e-mail address, in any case; served by the unique index."""
        row = await self._connection.fetchrow("SELECT * FROM users WHERE lower(email) = lower($1)", email)
        return None if row is None else _user(row)

    async def set_password_hash(self, user_id: int, password_hash: str, *, previous: str) -> bool:
        """Replace a password hash, unless it is no longer `previous`.

        Returns:
            False if somebody else has changed it meanwhile: an upgrade at login must not undo a change of password.
        """
        tag = await self._connection.execute(
            "UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash = $3", user_id, password_hash, previous
        )
        return tag == "UPDATE 1"

    async def record_login(self, user_id: int) -> None:
        """Note the time of a login, by the database's clock."""
        await self._connection.execute("UPDATE users SET last_login_at = now() WHERE id = $1", user_id)


def _user(row: Row) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        password_hash=row["password_hash"],
        created_at=row["created_at"],
        last_login_at=row["last_login_at"],
    )
