"""Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, checked without asking anyone.

Short-lived by design; what lives long is the session in Redis (see `sessions`), of which a token carries the id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from auth.errors import ExpiredTokenError, InvalidTokenError

Clock = Callable[[], float]
"""Seconds since the epoch; `time.time` outside of tests."""

_MIN_KEY_BYTES = 32  # RFC 7518, 3.2: a key of the size of the hash output or larger must be used


@dataclass(frozen=True, kw_only=True)
class AccessClaims:
    """What a valid access token says.

    Attributes:
        user_id: whom it speaks for (`sub`).
        session_id: the session it was issued in (`sid`).
        expires_at: seconds since the epoch (`exp`).
    """

    user_id: int
    session_id: str
    expires_at: int


class AccessTokens:
    """Issues and verifies access tokens with one key."""

    def __init__(self, key: bytes, *, clock: Clock, lifetime_s: int = 900) -> None:
        """Keep the key.

        Args:
            key: at least 32 bytes, known to every replica of the service.
            clock: seconds since the epoch.
            lifetime_s: how long a token is good for; also how long a stolen one is.

        Raises:
            ValueError: the key is too short to be safe.
        """
        if len(key) < _MIN_KEY_BYTES:
            raise ValueError(f"signing key has {len(key)} bytes, HMAC-SHA256 needs at least {_MIN_KEY_BYTES}")
        self._key = key
        self._clock = clock
        self.lifetime_s = lifetime_s

    def issue(self, *, user_id: int, session_id: str) -> str:
        """Make a token for a user's session, valid from now on for `lifetime_s`."""
        now = int(self._clock())
        claims = {"sub": str(user_id), "sid": session_id, "iat": now, "exp": now + self.lifetime_s}
        signed = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(claims)}"
        return f"{signed}.{b64url(hs256(signed, self._key))}"

    def verify(self, token: str) -> AccessClaims:
        """Check signature, then algorithm, then time.

        Raises:
            InvalidTokenError: not a token of ours.
            ExpiredTokenError: ours, but over.
        """
        signed, _, signature = token.rpartition(".")
        # The signature first and always as HS256, whatever the header claims: a token with "alg": "none" must not
        # choose how it is checked (RFC 8725, 3.1).
        if not hmac.compare_digest(b64url(hs256(signed, self._key)).encode(), signature.encode(errors="replace")):
            raise InvalidTokenError("access token is not signed by this service")
        claims = _read_claims(signed)
        if claims.expires_at <= self._clock():
            raise ExpiredTokenError("access token has expired")
        return claims


def hs256(signed: str, key: bytes) -> bytes:
    """Sign a token's first two parts (RFC 7515, appendix A.1)."""
    return hmac.digest(key, signed.encode(errors="replace"), hashlib.sha256)


def b64url(data: bytes) -> str:
    """Encode as RFC 7515 wants it: the URL-safe alphabet, no padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_claims(signed: str) -> AccessClaims:
    try:
        header, payload = (_decode_json(part) for part in signed.split("."))
        if header["alg"] != "HS256":
            raise InvalidTokenError("access token is not an HS256 token")
        return AccessClaims(
            user_id=int(str(payload["sub"])), session_id=str(payload["sid"]), expires_at=int(str(payload["exp"]))
        )
    except (ValueError, KeyError, binascii.Error) as cause:
        raise InvalidTokenError("access token lacks what this service puts into one") from cause


def _encode_json(content: dict[str, object]) -> str:
    return b64url(json.dumps(content, separators=(",", ":")).encode())


def _decode_json(part: str) -> dict[str, object]:
    content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(content, dict):
        raise InvalidTokenError("access token is not made of JSON objects")
    return content
