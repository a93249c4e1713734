"""What the auth service refuses, as types. `server` turns them into HTTP answers; nothing else knows about HTTP.

Messages go to whoever made the request, so none of them says more about an account than the request already knew.
"""

from __future__ import annotations

from typing import ClassVar


class AuthError(Exception):
    """A request that was understood and refused."""

    code: ClassVar[str] = "auth_error"


class MalformedInputError(AuthError):
    """A field is missing, of the wrong type or outside its limits."""

    code = "malformed_input"


class EmailTakenError(AuthError):
    """There is an account with this e-mail address, in whatever case it is written."""

    code = "email_taken"


class WrongCredentialsError(AuthError):
    """Unknown e-mail address or wrong password: deliberately one error, so that accounts cannot be enumerated."""

    code = "wrong_credentials"


class InvalidTokenError(AuthError):
    """A token that this service did not make, or not for this use."""

    code = "invalid_token"


class ExpiredTokenError(AuthError):
    """A token that this service made and whose time is over."""

    code = "expired_token"


class SessionEndedError(AuthError):
    """The session behind a valid token is gone: logged out, revoked or expired."""

    code = "session_ended"


class RefreshTokenReusedError(AuthError):
    """A refresh token was presented a second time; its session has been ended.

    Attributes:
        user_id: whose session it was, for the audit trail.
    """

    code = "refresh_token_reused"

    def __init__(self, *, user_id: int) -> None:
        """Keep the user, and say it to the caller without naming them."""
        super().__init__("refresh token was used before; its session has been ended")
        self.user_id = user_id
