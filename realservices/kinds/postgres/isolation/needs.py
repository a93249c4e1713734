"""What one SQL text needs of a connection, as far as its words tell: a pure function of the text.

A statement on which something hangs at the end of its transaction, or that wants a transaction of its own at the top,
is impossible within a transaction that is rolled back later. Where words do not tell exactly, the answer is yes: that
is slower and never wrong.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache

from realservices.kinds.postgres.isolation.statements import Control, control_of, split
from realservices.kinds.postgres.traits_query import HANGING

_HANGING = re.compile(f"(?:{'|'.join(HANGING)})".replace("*", r"\w*"), re.I)
_FIRST = {
    "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "DECLARE", "DISCARD", "DO", "FETCH", "LISTEN", "LOAD", "LOCK", "MOVE",
    "NOTIFY", "REINDEX", "UNLISTEN", "VACUUM",
}  # fmt: skip
_OF_TRANSACTIONS = (["LOCAL"], ["CONSTRAINTS"])
_OF_THE_SERVER = {"DATABASE", "SUBSCRIPTION", "SYSTEM", "TABLESPACE"}
_HANGING_BODY = re.compile(rf"\b(?:{_HANGING.pattern}|set\s+local|on\s+commit)\b", re.I | re.X)
_CLOCK = {"current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"}
_CLOCK_CALLS = {"now", "transaction_timestamp", "age"}
_CLOCK_TEXTS = {"now", "today", "tomorrow", "yesterday"}
_CLOCK_BODY = re.compile(
    rf"\b(?:{'|'.join(_CLOCK)}|(?:{'|'.join(_CLOCK_CALLS)})\"?\s*\() | '(?:{'|'.join(_CLOCK_TEXTS)})'", re.I | re.X
)
_WRITES = {"insert", "update", "delete", "merge", "copy", "truncate", "execute"}
_INSERTS = {"insert", "copy", "merge", "default", "execute"}
_CHANGES_SCHEMA = {"alter", "create", "drop", "import"}
_FIRST_OF_SCHEMA = {"COMMENT", "GRANT", "REASSIGN", "REFRESH", "REVOKE", "SECURITY"}
_NO_READING = {"into", "for"}  # SELECT INTO, and locks of rows.
_READING = {"SELECT", "SHOW", "TABLE", "VALUES", "WITH"}
# What a session keeps beyond its transactions, and that changes what later statements mean.
_OF_THE_SESSION = {"DEALLOCATE", "DISCARD", "LOAD", "PREPARE", "RESET", "SET"}
_MEANS_ANYTHING = {"EXECUTE", "FETCH", "MOVE"}  # By a name of a cursor or statement; the result's columns go with that.
_SESSION_BODY = re.compile(
    r"""\b(?:set_config|deallocate|discard|prepare|reset|execute|alter|create|drop|import)\b
      | (?:^|;|\b(?:as|begin|then|else|loop|declare)\b)\s*(?:\$\w*\$|')?\s*set\s""",
    re.I | re.X,
)
_OUTLASTING = re.compile(
    r"""\bset\s+(?:local\s+|session\s+)?(?:\w+|"[^"]+")\s*\.  |  \bset_config\s*\(\s*(?!'\w+'\s*,)
      | \b(?:dblink_connect(?:_u)?|pg_replication_origin_session_setup)\b""",
    re.I | re.X,
)
_WORD = re.compile(r"\w+")
# A text without any of these words is neither control, nor does something hang on it.
_TELLING = {
    *(word.lower() for word in _FIRST | _FIRST_OF_SCHEMA), *_CHANGES_SCHEMA, *_CLOCK, *_CLOCK_CALLS, *_CLOCK_TEXTS,
    "set", "reset", "show", "execute", "deallocate", "discard", "load", "begin", "start", "commit", "end", "rollback",
    "abort", "savepoint", "release", "prepare", "dblink_connect", "dblink_connect_u",
    "pg_replication_origin_session_setup",
}  # fmt: skip
_FIRST_WORD = re.compile(r"[\s(]*(\w+)")
_MOST_CACHED = 16_384


@dataclass(frozen=True, slots=True)
class Needs:
    """What a text needs.

    Attributes:
        steps: Its statements of transaction control, with the texts between them. Empty: it has none.
        hangs: Something of it happens at the end of its transaction, or it wants one of its own.
        writes: It may write rows.
        inserts: It may write what a column's default says.
        reads_clock: It may use the time at which its transaction began.
        outlasts_reset: It may leave in the session what no reset removes: a setting that PostgreSQL does not know
            (``app.user`` for instance), a connection of dblink's, a replication origin.
        changes_schema: It may change types, tables, or what is said of them: event triggers may fire.
        alters_session: It may change what later statements of the session mean, or mean something else later.
        only_reads: It writes nothing, unless a function that it calls does.
        is_prelude: It only shows or changes settings. The modes of a transaction can still be set after it.
    """

    steps: tuple[str | Control, ...] = ()
    hangs: bool = False
    writes: bool = False
    inserts: bool = False
    reads_clock: bool = False
    outlasts_reset: bool = False
    changes_schema: bool = False
    alters_session: bool = False
    only_reads: bool = False
    is_prelude: bool = False


def words_of(text: str) -> frozenset[str]:
    """Return all words of a text, also those in quotes and comments, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def needs_of(sql: str) -> Needs:
    """Return what a text needs."""
    return _cached(sql) if len(sql) <= _MOST_CACHED else _read(sql)


def body_hangs(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.hangs` means."""
    return _HANGING_BODY.search(source) is not None


def body_reads_clock(source: str) -> bool:
    """Return whether a function with this source may use the time at which its transaction began."""
    return _CLOCK_BODY.search(source) is not None


def body_outlasts_reset(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.outlasts_reset` means."""
    return _OUTLASTING.search(source) is not None


def body_alters_session(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.alters_session` means."""
    return _SESSION_BODY.search(source) is not None


def body_inserts(words: frozenset[str]) -> bool:
    """Return whether a function with these words may need what `Needs.inserts` means."""
    return not _INSERTS.isdisjoint(words)


def body_writes(words: frozenset[str]) -> bool:
    """Return whether a function with these words may write rows."""
    return not _WRITES.isdisjoint(words)


def _read(sql: str) -> Needs:
    words = words_of(sql)
    writes, changes_schema = not _WRITES.isdisjoint(words), not _CHANGES_SCHEMA.isdisjoint(words)
    changes_schema = changes_schema or ("into" in words and not writes)  # SELECT INTO
    inserts = writes and not _INSERTS.isdisjoint(words)
    first = _FIRST_WORD.match(sql)
    only_reads = first is not None and first[1].upper() in _READING and not writes and words.isdisjoint(_NO_READING)
    if _TELLING.isdisjoint(words) and not any(_HANGING.fullmatch(word) for word in words):
        return Needs(writes=writes, inserts=inserts, changes_schema=changes_schema, only_reads=only_reads)
    steps: list[str | Control] = []
    hangs = reads_clock = alters_session = False
    is_prelude = True
    for text, own in split(sql):
        control = control_of(text, own)
        if control is not None:
            steps.append(control)
            continue
        hangs = hangs or _hangs(text, own)
        changes_schema = changes_schema or own[0] in _FIRST_OF_SCHEMA
        reads_clock = reads_clock or _reads_clock(text, own)
        alters_session = alters_session or own[0] in _OF_THE_SESSION | _MEANS_ANYTHING or "SET_CONFIG" in own
        is_prelude = is_prelude and own[0] in ("RESET", "SET", "SHOW")
        if steps and isinstance(steps[-1], str):
            steps[-1] += ";" + text
        else:
            steps.append(text)
    controls = any(isinstance(step, Control) for step in steps)
    return Needs(
        steps=tuple(steps) if controls else (),
        hangs=hangs,
        writes=writes,
        inserts=inserts,
        reads_clock=reads_clock,
        outlasts_reset=bool(_OUTLASTING.search(sql)),
        changes_schema=changes_schema,
        alters_session=alters_session or changes_schema,
        only_reads=only_reads and not (hangs or controls or alters_session or changes_schema),
        is_prelude=is_prelude and not controls,
    )


_cached = lru_cache(maxsize=1024)(_read)


def _hangs(text: str, words: list[str]) -> bool:
    first, rest = words[0], words[1:]
    if first in _FIRST or (first == "SET" and (rest[:1] in _OF_TRANSACTIONS or "CHARACTERISTICS" in rest)):
        return True
    if first in ("ALTER", "CREATE", "DROP"):
        if rest and (rest[0] in _OF_THE_SERVER or (rest[0] == "TYPE" and "VALUE" in rest)):
            return True
        if _has_body(words) and body_hangs(text):
            return True
    if any(pair == ("ON", "COMMIT") for pair in zip(words, rest, strict=False)):
        return True
    return any(
        _HANGING.fullmatch(word.strip('"')) and not _sets_for_the_session(words, n) for n, word in enumerate(words)
    )


def _sets_for_the_session(words: list[str], position: int) -> bool:
    """Return whether a setting is set at this position that outlives the transaction: ``set_config(…, false)``."""
    if words[position] != "SET_CONFIG":
        return False
    depth = 0
    for n in range(position + 1, len(words)):
        depth += {"(": 1, ")": -1}.get(words[n], 0)
        if depth == 0:
            name = words[position + 2]
            is_harmless = name.startswith("'") and not _HANGING.fullmatch(name.strip("'"))
            return is_harmless and words[n - 2 : n] == [",", "FALSE"]
    return False


def _reads_clock(text: str, words: list[str]) -> bool:
    if _has_body(words) and body_reads_clock(text):
        return True
    if words[0] == "EXECUTE":
        return True
    for word, following in itertools.zip_longest(words, words[1:]):
        name = word.lower()
        if (
            name in _CLOCK
            or (name.strip('"') in _CLOCK_CALLS and following == "(")
            or name.strip("'") in _CLOCK_TEXTS - {name}
        ):
            return True
    return False


def _has_body(words: list[str]) -> bool:
    # Of a function: text in quotes, which is no word here.
    return words[0] in ("ALTER", "CREATE") and any(word in ("FUNCTION", "PROCEDURE", "ROUTINE") for word in words[1:4])
