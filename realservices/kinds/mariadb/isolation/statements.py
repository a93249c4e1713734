"""What a statement does to transactions, by its first words.

Only what has to become something else within a test's transaction is recognised. Whatever would end that (DDL, LOCK
TABLES, a COMMIT in a procedure) is refused by the server itself, see connection.py.
"""

from __future__ import annotations

import enum
import re

_SPACE = re.compile(rb"(?:\s|/\*(?!!|M!).*?\*/|--\s[^\n]*(?:\n|$)|#[^\n]*(?:\n|$))*", re.DOTALL)
_END = rb"\s*;?\s*"
_BEGIN = re.compile(
    rb"(?:BEGIN(?:\s+WORK)?|START\s+TRANSACTION(?:\s+(?:WITH\s+CONSISTENT\s+SNAPSHOT|READ\s+WRITE))?)" + _END
)
_COMMIT = re.compile(rb"COMMIT(?:\s+WORK)?(?:\s+AND\s+NO\s+CHAIN)?(?:\s+NO\s+RELEASE)?" + _END)
_ROLLBACK = re.compile(rb"ROLLBACK(?:\s+WORK)?(?:\s+AND\s+NO\s+CHAIN)?(?:\s+NO\s+RELEASE)?" + _END)
_AUTOCOMMIT = re.compile(
    rb"SET\s+(?:(?:SESSION|LOCAL)\s+|@@(?:(?:SESSION|LOCAL)\.)?)?AUTOCOMMIT\s*:?=\s*(?P<value>0|1|ON|OFF|TRUE|FALSE)"
    + _END
)
_ON = (b"1", b"ON", b"TRUE")
_CONTROL = (b"BEGIN", b"START", b"COMMIT", b"ROLLBACK", b"SET", b"XA")
_FIRST_WORD = re.compile(rb"[A-Z]*")
_MENTIONS_AUTOCOMMIT = re.compile(rb"\bAUTOCOMMIT\s*:?=")
_TO_SAVEPOINT = re.compile(rb"ROLLBACK(?:\s+WORK)?\s+TO\b")


class Effect(enum.Enum):
    """What a statement does to transactions."""

    NONE = "none"
    BEGIN = "begins one"
    COMMIT = "commits"
    ROLLBACK = "rolls back"
    AUTOCOMMIT_ON = "autocommit on"
    AUTOCOMMIT_OFF = "autocommit off"
    REFUSED = "is refused"


def effect_of(statement: bytes) -> Effect:
    """Return what a statement does to transactions."""
    begin = _SPACE.match(statement)
    text = statement[begin.end() if begin else 0 :].upper()
    first = _FIRST_WORD.match(text)
    word = first[0] if first else b""
    if word not in _CONTROL:
        return Effect.NONE
    if word == b"SET":
        return _of_set(text)
    return _of_control(word, text)


def _of_set(text: bytes) -> Effect:
    if not _MENTIONS_AUTOCOMMIT.search(text):
        return Effect.NONE
    found = _AUTOCOMMIT.fullmatch(text)
    if not found:
        return Effect.REFUSED
    return Effect.AUTOCOMMIT_ON if found["value"] in _ON else Effect.AUTOCOMMIT_OFF


def _of_control(word: bytes, text: bytes) -> Effect:
    if word == b"BEGIN" and not _BEGIN.fullmatch(text):
        return Effect.NONE  # BEGIN NOT ATOMIC, a block.
    if _BEGIN.fullmatch(text):
        return Effect.BEGIN
    if _COMMIT.fullmatch(text):
        return Effect.COMMIT
    if _ROLLBACK.fullmatch(text):
        return Effect.ROLLBACK
    return Effect.NONE if _TO_SAVEPOINT.match(text) else Effect.REFUSED
