"""Who asks: the auth service's access token in a request, checked without asking the auth service.

A session that was ended there is still good here until its access token expires: that is what their lifetime is for.
"""

from __future__ import annotations

from collections.abc import Mapping

from auth.errors import InvalidTokenError
from auth.tokens import AccessClaims, AccessTokens


def identify(tokens: AccessTokens, *, headers: Mapping[str, str], query: Mapping[str, str]) -> AccessClaims:
    """Read the token of a request.

    Args:
        tokens: verifies it.
        headers: of the request, with `authorization` in lower case.
        query: of a WebSocket's handshake, with which browsers cannot send headers: `token`. Else empty.

    Raises:
        InvalidTokenError: there is none, or it is not the auth service's.
        ExpiredTokenError: it is over.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return tokens.verify(token.strip())
    if "token" in query:
        return tokens.verify(query["token"])
    raise InvalidTokenError("send the access token as Authorization: Bearer")
