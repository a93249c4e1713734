"""Password hashes: scrypt with a salt of its own per password, stored together with its parameters.

The stored text is the PHC string format, `$scrypt$ln=15,r=8,p=3$<salt>$<key>` (https://github.com/P-H-C/phc-string-format),
so that a hash says itself what it costs and the cost can be raised without touching old accounts: `service` re-hashes a
password whose hash is cheaper than today's cost, at the next login.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass

_SALT_BYTES = 16
_KEY_BYTES = 32
_STORED = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


@dataclass(frozen=True, kw_only=True)
class ScryptCost:
    """What one hash costs.

    Attributes:
        log2_n: memory and time, as a power of two; memory is 128 * r * 2**log2_n bytes.
        r: block size.
        p: how often the whole is repeated.
    """

    log2_n: int
    r: int
    p: int

    @property
    def memory_bytes(self) -> int:
        """Memory that one hash needs; OpenSSL refuses above 32 MiB unless it is told."""
        return 128 * self.r * ((1 << self.log2_n) + self.p + 2)

    @property
    def work(self) -> int:
        """A number that grows with the time a guess takes, to compare two costs by."""
        return (1 << self.log2_n) * self.r * self.p


# One of the equivalent settings of the OWASP Password Storage Cheat Sheet; this one needs 32 MiB a hash.
PRODUCTION_COST = ScryptCost(log2_n=15, r=8, p=3)


def hash_password(password: str, cost: ScryptCost) -> str:
    """Hash a password with a new salt. Takes as long as the cost says: keep it off the event loop.

    Args:
        password: as typed; normalised here, so that the same password from another keyboard matches.
        cost: `PRODUCTION_COST`, or a cheap one in tests.

    Returns:
        The text to store.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derive(password, salt=salt, cost=cost, length=_KEY_BYTES)
    return f"$scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${_b64(salt)}${_b64(key)}"


def verify_password(password: str, stored: str) -> bool:
    """Compare a password with a stored hash, in constant time over the key.

    A text that is no hash of ours matches nothing: an account imported with a placeholder cannot be logged into.
    """
    parsed = _parse(stored)
    if parsed is None:
        return False
    cost, salt, key = parsed
    return hmac.compare_digest(_derive(password, salt=salt, cost=cost, length=len(key)), key)


def needs_rehash(stored: str, cost: ScryptCost) -> bool:
    """Say whether a stored hash is cheaper to guess than `cost` asks for."""
    parsed = _parse(stored)
    return parsed is None or parsed[0].work < cost.work


def _derive(password: str, *, salt: bytes, cost: ScryptCost, length: int) -> bytes:
    # NFKC as NIST SP 800-63B 5.1.1.2 advises: "é" has two spellings in Unicode, and keyboards differ in what they send.
    text = unicodedata.normalize("NFKC", password).encode()
    return hashlib.scrypt(
        text, salt=salt, n=1 << cost.log2_n, r=cost.r, p=cost.p, maxmem=cost.memory_bytes, dklen=length
    )


def _parse(stored: str) -> tuple[ScryptCost, bytes, bytes] | None:
    match = _STORED.fullmatch(stored)
    if match is None:
        return None
    log2_n, r, p, salt, key = match.groups()
    try:
        return ScryptCost(log2_n=int(log2_n), r=int(r), p=int(p)), _unb64(salt), _unb64(key)
    except binascii.Error:
        return None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")  # the PHC format has no padding


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
