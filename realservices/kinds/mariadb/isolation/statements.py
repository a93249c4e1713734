"""What a statement does to transactions, or asks of them, by its words.

Only what has to become something else within a test's transaction, or would be another there, is recognised. Whatever
would end that (DDL, LOCK TABLES, a COMMIT in a procedure) is refused by the server itself, see connection.py.
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
_CONTROL = (b"BEGIN", b"START", b"COMMIT", b"ROLLBACK", b"SET", b"SAVEPOINT", b"XA")
_FIRST_WORD = re.compile(rb"[A-Z]*")
_MENTIONS_AUTOCOMMIT = re.compile(rb"\bAUTOCOMMIT\s*:?=")
# Of the session's later transactions, which are savepoints here. `SET GLOBAL` is for other connections.
_LATER = re.compile(rb"\bREAD\s+ONLY\b|\b(?:TX_READ_ONLY|TRANSACTION_READ_ONLY|COMPLETION_TYPE)\s*:?=")
_GLOBAL = re.compile(rb"SET\s+(?:GLOBAL\s|@@GLOBAL\.)")
_NEXT = re.compile(rb"SET\s+TRANSACTION\b")
# Quoted texts and comments, or one of the variables.
_ASKED = re.compile(
    rb"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|/\*.*?\*/|(?:--\s|\#)[^\n]*"""
    rb"|@@(?:(?:SESSION|LOCAL)\s*\.\s*)?(AUTOCOMMIT|IN_TRANSACTION)\b",
    re.DOTALL | re.IGNORECASE,
)
_SHOWN = re.compile(rb"SHOW\s.*'(AUTOCOMMIT|IN_TRANSACTION)'", re.DOTALL | re.IGNORECASE)
_TO_SAVEPOINT = re.compile(rb"ROLLBACK(?:\s+WORK)?\s+TO\b")


class Effect(enum.Enum):
    """What a statement does to transactions."""

    NONE = "none"
    BEGIN = "begins one"
    COMMIT = "commits"
    ROLLBACK = "rolls back"
    AUTOCOMMIT_ON = "autocommit on"
    AUTOCOMMIT_OFF = "autocommit off"
    SAVEPOINT = "sets a savepoint"
    NOTHING = "has no effect"
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


def asked_of(statement: bytes) -> set[bytes]:
    """Return which variables a statement reads that are others within a test's transaction."""
    found = {match[1].upper() for match in _ASKED.finditer(statement) if match[1]} if b"@@" in statement else set()
    shown = _SHOWN.match(statement)
    return found | {shown[1].upper()} if shown else found


def _of_set(text: bytes) -> Effect:
    if _NEXT.match(text) or (_LATER.search(text) and not _GLOBAL.match(text)):
        return Effect.REFUSED
    if not _MENTIONS_AUTOCOMMIT.search(text):
        return Effect.NONE
    found = _AUTOCOMMIT.fullmatch(text)
    if not found:
        return Effect.REFUSED
    return Effect.AUTOCOMMIT_ON if found["value"] in _ON else Effect.AUTOCOMMIT_OFF


def _of_control(word: bytes, text: bytes) -> Effect:
    if word == b"BEGIN" and not _BEGIN.fullmatch(text):
        return Effect.NONE  # BEGIN NOT ATOMIC, a block.
    if word == b"SAVEPOINT":
        return Effect.SAVEPOINT
    if _BEGIN.fullmatch(text):
        return Effect.BEGIN
    if _COMMIT.fullmatch(text):
        return Effect.COMMIT
    if _ROLLBACK.fullmatch(text):
        return Effect.ROLLBACK
    return Effect.NONE if _TO_SAVEPOINT.match(text) else Effect.REFUSED
