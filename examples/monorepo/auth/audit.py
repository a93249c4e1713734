"""The audit trail in PostgreSQL (`migrations/002_audit.sql`): what happened to an account."""

from __future__ import annotations

from enum import StrEnum

from auth.database import Connection


class AuditEvent(StrEnum):
    """The events that the table's check constraint allows."""

    SIGNED_UP = "signed_up"
    LOGGED_IN = "logged_in"
    LOGIN_REFUSED = "login_refused"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"
    LOGGED_OUT = "logged_out"


async def record(connection: Connection, user_id: int, event: AuditEvent) -> None:
    """Add a row, in the transaction that `connection` is in; nothing for a user who is gone, trail and all."""
    await connection.execute(
        "INSERT INTO audit (user_id, event) SELECT id, $2 FROM users WHERE id = $1", user_id, event.value
    )
