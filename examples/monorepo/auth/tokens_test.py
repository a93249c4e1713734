"""Access tokens: what they say, how long, and that nobody else can make one."""

from __future__ import annotations

import base64
import json

import pytest

from auth.errors import ExpiredTokenError, InvalidTokenError
from auth.testing import SIGNING_KEY, START, ManualClock
from auth.tokens import AccessClaims, AccessTokens, b64url, hs256


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tokens(clock: ManualClock) -> AccessTokens:
    return AccessTokens(SIGNING_KEY, clock=clock, lifetime_s=60)


def signed(header: object, payload: object) -> str:
    """A token with the right key and any content."""
    text = ".".join(b64url(json.dumps(part).encode()) for part in (header, payload))
    return f"{text}.{b64url(hs256(text, SIGNING_KEY))}"


def test_says_what_was_put_into_it(tokens: AccessTokens) -> None:
    claims = tokens.verify(tokens.issue(user_id=7, session_id="s"))
    assert claims == AccessClaims(user_id=7, session_id="s", expires_at=int(START) + 60)


def test_expires_to_the_second(tokens: AccessTokens, clock: ManualClock) -> None:
    token = tokens.issue(user_id=7, session_id="s")
    clock.advance(59.9)
    assert tokens.verify(token).user_id == 7
    clock.advance(0.1)
    with pytest.raises(ExpiredTokenError):
        tokens.verify(token)


def test_another_key_makes_other_tokens(tokens: AccessTokens, clock: ManualClock) -> None:
    stranger = AccessTokens(b"?" * 32, clock=clock)
    with pytest.raises(InvalidTokenError):
        tokens.verify(stranger.issue(user_id=7, session_id="s"))


def test_no_byte_of_a_token_can_be_changed(tokens: AccessTokens) -> None:
    token = tokens.issue(user_id=7, session_id="s")
    for at, character in enumerate(token):
        changed = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidTokenError):
            tokens.verify(changed)


def test_claims_of_another_user_do_not_fit_the_signature(tokens: AccessTokens) -> None:
    header, _, signature = tokens.issue(user_id=7, session_id="s").split(".")
    payload = b64url(json.dumps({"sub": "1", "sid": "s", "exp": START + 60}).encode())
    with pytest.raises(InvalidTokenError):
        tokens.verify(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", None])
def test_header_does_not_choose_the_algorithm(tokens: AccessTokens, algorithm: str | None) -> None:
    claims = {"sub": "7", "sid": "s", "exp": int(START) + 60}
    with pytest.raises(InvalidTokenError):
        tokens.verify(signed({"alg": algorithm}, claims))
    unsigned = ".".join(b64url(json.dumps(part).encode()) for part in ({"alg": algorithm}, claims))
    with pytest.raises(InvalidTokenError):
        tokens.verify(f"{unsigned}.")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        "sub",
        {"sub": "seven", "sid": "s", "exp": int(START) + 60},
        {"sub": "7", "sid": "s", "exp": None},
        {"sub": "7", "exp": int(START) + 60},
    ],
    ids=repr,
)
def test_lacking_claims_are_refused_even_when_signed(tokens: AccessTokens, payload: object) -> None:
    with pytest.raises(InvalidTokenError):
        tokens.verify(signed({"alg": "HS256"}, payload))


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800", "a" * 100_000], ids=ascii)
def test_what_is_no_token_is_refused(tokens: AccessTokens, text: str) -> None:
    with pytest.raises(InvalidTokenError):
        tokens.verify(text)


def test_signature_is_that_of_rfc_7515() -> None:
    key = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    text = (  # appendix A.1
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    assert b64url(hs256(text, key)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"31 bytes.*at least 32"):
        AccessTokens(b"?" * 31, clock=ManualClock())
