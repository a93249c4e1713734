"""Password hashes: that they match what they should, say what they cost, and are the scrypt of the RFC."""

from __future__ import annotations

import base64

import pytest

from auth.passwords import PRODUCTION_COST, ScryptCost, hash_password, needs_rehash, verify_password
from auth.testing import CHEAP

DEARER = ScryptCost(log2_n=5, r=1, p=1)


def phc(text: bytes) -> str:
    return base64.b64encode(text).decode().rstrip("=")


def test_right_password_matches_and_others_do_not() -> None:
    stored = hash_password("correct horse", CHEAP)
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horse ", stored)
    assert not verify_password("", stored)


def test_salt_makes_every_hash_another() -> None:
    first, second = hash_password("correct horse", CHEAP), hash_password("correct horse", CHEAP)
    assert first != second
    assert verify_password("correct horse", first)
    assert verify_password("correct horse", second)


def test_production_cost_takes_the_memory_it_says_and_still_fits() -> None:
    stored = hash_password("correct horse", PRODUCTION_COST)
    assert stored.startswith("$scrypt$ln=15,r=8,p=3$")
    assert 32 << 20 <= PRODUCTION_COST.memory_bytes < 33 << 20
    assert verify_password("correct horse", stored)


def test_is_the_scrypt_of_rfc_7914() -> None:
    key = bytes.fromhex(  # section 12, third vector: password, NaCl, N=1024, r=8, p=16
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )
    stored = f"$scrypt$ln=10,r=8,p=16${phc(b'NaCl')}${phc(key)}"
    assert verify_password("password", stored)
    assert not verify_password("Password", stored)


def test_two_spellings_of_one_character_are_one_password() -> None:
    composed, decomposed = "caf\u00e9 society", "cafe\u0301 society"
    assert composed != decomposed
    assert verify_password(decomposed, hash_password(composed, CHEAP))


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "hashed_password",
        "correct horse",
        "$scrypt$ln=4,r=1,p=1$c2FsdA",
        "$scrypt$ln=4,r=1,p=1$c2FsdA$x",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$a2V5",
    ],
)
def test_what_is_no_hash_of_ours_matches_nothing(stored: str) -> None:
    assert not verify_password("correct horse", stored)
    assert needs_rehash(stored, CHEAP)


def test_only_a_cheaper_hash_needs_another() -> None:
    stored = hash_password("correct horse", DEARER)
    assert needs_rehash(stored, PRODUCTION_COST)
    assert not needs_rehash(stored, DEARER)
    assert not needs_rehash(stored, CHEAP)
