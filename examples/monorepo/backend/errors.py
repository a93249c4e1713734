"""What the backend refuses, as types. `api` turns them into HTTP answers, `connection` into frames."""

from __future__ import annotations

from typing import ClassVar


class BackendError(Exception):
    """A request that was understood and refused."""

    code: ClassVar[str] = "backend_error"


class MalformedInputError(BackendError):
    """A field is missing, of the wrong type or outside its limits."""

    code = "malformed_input"


class UnknownUserError(BackendError):
    """There is no user of this number."""

    code = "unknown_user"


class UnknownThreadError(BackendError):
    """There is no thread of this number among the user's own: whether others have it is not theirs to know."""

    code = "unknown_thread"
