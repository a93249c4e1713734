"""What one SQL text needs of a connection, as far as its words tell: a pure function of the text.

A statement on which something hangs at the end of its transaction, or that wants a transaction of its own at the top,
cannot be had within a transaction that is rolled back later. Where words do not tell exactly, the answer is yes: that
is slower and never wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from realservices.isolation.postgres.statements import MAY_CONTROL, Control, control_of, split

# Functions, columns and views that tell or use something of the transaction at the top; and what no rollback undoes.
_HANGING = re.compile(
    r"""(?:set_config | pg_notify | notify | pg_(?:try_)?advisory_xact_\w+ | refcursor | dblink\w* | concurrently
      | txid_\w+ | pg_current_xact_id\w* | pg_\w*snapshot\w* | pg_xact_\w+ | xmin | xmax | cmin | cmax
      | pg_locks | pg_cursors | pg_stat_\w+ | pg_prepared_xacts | lo_\w+ | loread | lowrite | setval
      | pg_logical_\w+ | pg_replication_\w+ | pg_create_\w+ | pg_drop_replication_slot | pg_reload_conf
      | deferred | deferrable | constraints | default_transaction_\w+ | transaction_(?:isolation|read_only|deferrable)
      | idle_in_transaction_session_timeout | transaction_timeout)""",
    re.I | re.X,
)
_FIRST = {
    "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "DECLARE", "DISCARD", "DO", "FETCH", "LISTEN", "LOAD", "LOCK", "MOVE",
    "NOTIFY", "REINDEX", "UNLISTEN", "VACUUM",
}  # fmt: skip
_OF_THE_SERVER = {"DATABASE", "SUBSCRIPTION", "SYSTEM", "TABLESPACE"}
_HANGING_BODY = re.compile(rf"\b(?:{_HANGING.pattern}|set\s+local|on\s+commit)\b", re.I | re.X)
_CLOCK = re.compile(
    r"(?:now|current_timestamp|current_date|current_time|localtime|localtimestamp|transaction_timestamp|age)", re.I
)
_CLOCK_BODY = re.compile(rf"\b(?:{_CLOCK.pattern}|'(?:today|tomorrow|yesterday)')\b", re.I)
_CLOCK_TEXTS = {"'now'", "'today'", "'tomorrow'", "'yesterday'"}
_WRITES = re.compile(r"\b(?:insert|update|delete|merge|copy|truncate|execute)\b", re.I)
_INSERTS = re.compile(r"\b(?:insert|copy|merge|default)\b", re.I)
_EXECUTES = re.compile(r"\bexecute\b", re.I)
_INTO = re.compile(r"\binto\b", re.I)
_CHANGES_SCHEMA = re.compile(r"\b(?:alter|create|drop|import)\b", re.I)
_READING = {"SELECT", "SHOW", "TABLE", "VALUES", "WITH"}
# What a session keeps beyond its transactions, and that changes what later statements mean.
_OF_THE_SESSION = {"DEALLOCATE", "DISCARD", "EXECUTE", "LOAD", "PREPARE", "RESET", "SET"}
_SESSION_BODY = re.compile(
    r"""\b(?:set_config|deallocate|discard|prepare|reset|execute)\b
      | (?:^|;|\b(?:as|begin|then|else|loop|declare)\b)\s*(?:\$\w*\$|')?\s*set\s""",
    re.I | re.X,
)
_CUSTOM_SETTING = re.compile(
    r"""\bset\s+(?:local\s+|session\s+)?(?:\w+|"[^"]+")\s*\.  |  \bset_config\s*\(\s*(?!'\w+'\s*,)""", re.I | re.X
)
_INTERESTING = re.compile(
    rf"\b(?:{_HANGING.pattern}|{_CLOCK.pattern}|{'|'.join(_FIRST | _OF_THE_SESSION)}|commit|alter|create|drop)\b"
    rf"|{'|'.join(_CLOCK_TEXTS)}|{MAY_CONTROL.pattern}",
    re.I | re.X,
)
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
        sets_custom: It may set a setting that PostgreSQL does not know, ``app.user`` for instance.
        changes_schema: It may change types or tables.
        alters_session: It may change what later statements of the session mean: settings, prepared statements.
        only_reads: It writes nothing, unless a function that it calls does.
    """

    steps: tuple[str | Control, ...] = ()
    hangs: bool = False
    writes: bool = False
    inserts: bool = False
    reads_clock: bool = False
    sets_custom: bool = False
    changes_schema: bool = False
    alters_session: bool = False
    only_reads: bool = False


def needs_of(sql: str) -> Needs:
    """Return what a text needs."""
    return _cached(sql) if len(sql) <= _MOST_CACHED else _read(sql)


def body_hangs(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.hangs` means."""
    return _HANGING_BODY.search(source) is not None


def body_reads_clock(source: str) -> bool:
    """Return whether a function with this source may use the time at which its transaction began."""
    return _CLOCK_BODY.search(source) is not None


def body_sets_custom(source: str) -> bool:
    """Return whether a function with this source may set a setting that PostgreSQL does not know."""
    return _CUSTOM_SETTING.search(source) is not None


def body_alters_session(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.alters_session` means."""
    return _SESSION_BODY.search(source) is not None or _CHANGES_SCHEMA.search(source) is not None


def body_inserts(source: str) -> bool:
    """Return whether a function with this source may need what `Needs.inserts` means."""
    return _INSERTS.search(source) is not None or _EXECUTES.search(source) is not None


def body_writes(source: str) -> bool:
    """Return whether a function with this source may write rows."""
    return _WRITES.search(source) is not None


def _read(sql: str) -> Needs:
    writes, changes_schema = bool(_WRITES.search(sql)), bool(_CHANGES_SCHEMA.search(sql))
    inserts = writes and bool(_INSERTS.search(sql))
    first = _FIRST_WORD.match(sql)
    only_reads = first is not None and first[1].upper() in _READING
    only_reads = only_reads and not writes and not changes_schema and not _INTO.search(sql)
    if not _INTERESTING.search(sql):
        return Needs(writes=writes, inserts=inserts, changes_schema=changes_schema, only_reads=only_reads)
    steps: list[str | Control] = []
    hangs = reads_clock = alters_session = False
    for text, words in split(sql):
        control = control_of(text, words)
        if control is not None:
            steps.append(control)
            continue
        hangs = hangs or _hangs(text, words)
        reads_clock = reads_clock or _reads_clock(text, words)
        alters_session = alters_session or words[0] in _OF_THE_SESSION or "SET_CONFIG" in words
        if steps and isinstance(steps[-1], str):
            steps[-1] += ";" + text
        else:
            steps.append(text)
    return Needs(
        steps=tuple(steps) if any(isinstance(step, Control) for step in steps) else (),
        hangs=hangs,
        writes=writes,
        inserts=inserts,
        reads_clock=reads_clock,
        sets_custom=bool(_CUSTOM_SETTING.search(sql)),
        changes_schema=changes_schema,
        alters_session=alters_session or changes_schema,
        only_reads=only_reads and not hangs and not steps and not alters_session,
    )


_cached = lru_cache(maxsize=1024)(_read)


def _hangs(text: str, words: list[str]) -> bool:
    first, rest = words[0], words[1:]
    if first in _FIRST or (first == "SET" and rest[:1] in (["LOCAL"], ["CONSTRAINTS"])):
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
    """Return whether a setting is set at this position that stays beyond the transaction: ``set_config(…, false)``."""
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
    return words[0] == "EXECUTE" or any(word.lower() in _CLOCK_TEXTS or _CLOCK.fullmatch(word) for word in words)


def _has_body(words: list[str]) -> bool:
    # Of a function: text in quotes, which is no word here.
    return words[0] in ("ALTER", "CREATE") and any(word in ("FUNCTION", "PROCEDURE", "ROUTINE") for word in words[1:4])
