"""What a database's schema does by itself, which the words of a statement do not tell.

Triggers, column defaults, functions and views may use the time, defer a check to COMMIT, or call what hangs on it.
Read once for each schema; what a test changes in it shows in the words of its own statements. A template tells what it
has, and nobody need ask where nothing was written since.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.isolation.needs import (
    body_alters_session,
    body_hangs,
    body_inserts,
    body_outlasts_reset,
    body_reads_clock,
    body_writes,
    words_of,
)
from realservices.kinds.postgres.traits_query import NEXT_TRANSACTION, TOLD_TRAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from realservices.kinds.postgres.isolation.needs import Needs

TOLD = f"SELECT {TOLD_TRAITS}, {NEXT_TRANSACTION} AS next"
"""A query for `told_traits`: its row has the columns ``told`` and ``next``."""
# Of parts (traits_query.py).
_PLACES = ("named", "inserted", "written", "altered", "anywhere")
# A session's settings under which no transaction can be held around a whole test.
_HARMLESS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
COMMITS_ALWAYS = "SELECT WHERE " + " OR ".join(
    f"coalesce(current_setting('{name}', true) <> '{value}', false)" for name, value in _HARMLESS.items()
)
"""A query that finds one row where a session has such settings."""


@dataclass(frozen=True, slots=True)
class Trait:
    """Who does a certain thing in a database without saying so.

    Attributes:
        names: A word of the lower-case names of functions and views; a text with one of them may do it.
        writes: Every text that writes rows may do it.
        tables: A word of the lower-case names of tables and views; a text with one of them that writes what a column's
            default says may do it.
        alters: Every text that changes the schema may do it.
        anywhere: Every text may do it: operators, casts and the like call functions without their names.
    """

    names: frozenset[str] = frozenset()
    writes: bool = False
    tables: frozenset[str] = frozenset()
    alters: bool = False
    anywhere: bool = False

    @property
    def is_in_writes(self) -> bool:
        """Whether there is a text that writes and may do it."""
        return self.anywhere or self.writes or bool(self.tables)

    def is_in(self, sql: str, needs: Needs) -> bool:
        """Return whether a text, which needs ``needs``, may do it."""
        if self.anywhere or (self.writes and needs.writes) or (self.alters and needs.changes_schema):
            return True
        names = self.names | self.tables if needs.inserts else self.names
        return bool(names) and not names.isdisjoint(_words(sql))


@dataclass(frozen=True, slots=True)
class Traits:
    """What statements need in a database, beyond what their words tell.

    Attributes:
        hanging: See `Needs.hangs`.
        clock: See `Needs.reads_clock`.
        outlasting: See `Needs.outlasts_reset`.
        session: See `Needs.alters_session`.
        writing: The opposite of `Needs.only_reads`.
    """

    hanging: Trait = Trait()
    clock: Trait = Trait()
    outlasting: Trait = Trait()
    session: Trait = Trait()
    writing: Trait = Trait()


def traits_of(answer: str) -> Traits:
    """Return the traits of a database by its answer to `traits_query` (traits_query.py)."""
    found: dict[str, Any] = json.loads(answer)
    parts = defaultdict[tuple[str, str], list[str]](list)
    for place, name, part in found["parts"] or ():
        parts[place, name].append(part)
    names = defaultdict[tuple[str, str], set[str]](set)  # Many columns have the same default.
    for (place, name), texts in parts.items():
        names[place, " ".join(sorted(texts))].add(_first_word(name))
    for name, _, text in found["functions"] or ():
        names["named", text].add(_first_word(name))
    schema = _Schema(
        [_Source(place, frozenset(those), text, words_of(text)) for (place, text), those in names.items()],
        frozenset(_first_word(name) for name, fires, _ in found["functions"] or () if fires),
        frozenset(map(_first_word, found["views"] or ())),
    )
    return Traits(
        hanging=_trait(schema, lambda source: body_hangs(source.text), writes=bool(found["defers"])),
        clock=_trait(schema, lambda source: body_reads_clock(source.text)),
        outlasting=_trait(schema, lambda source: body_outlasts_reset(source.text)),
        session=_trait(schema, lambda source: body_alters_session(source.text)),
        writing=_trait(schema, lambda source: body_writes(source.words), map(_first_word, found["foreign"] or ())),
    )


def told_traits(told: str | None, next_transaction: int) -> Traits | None:
    """Return the traits that a template tells of its databases; None: they may not be those of now.

    Args:
        told: Its file.
        next_transaction: Of the server, now. A change of the schema would have taken a transaction.
    """
    number, _, answer = (told or "").partition("\n")
    return traits_of(answer) if answer and int(number) == next_transaction else None


@dataclass(frozen=True, slots=True)
class _Source:
    """What is done, as a text with the names of what it calls and reads.

    Attributes:
        place: When (see traits_query.py).
        names: A word of each lower-case name by which a statement has it done: of functions, views, tables.
        text: The text.
        words: Its words.
    """

    place: str
    names: frozenset[str]
    text: str
    words: frozenset[str]

    def calls(self, names: Set[str], tables: Set[str], *, writing: bool) -> bool:
        """Return whether it may do what some functions and views do, some tables' defaults, or all that writes."""
        return (
            not names.isdisjoint(self.words)
            or (writing and body_writes(self.words))
            or (bool(tables) and body_inserts(self.words) and not (tables | {"execute"}).isdisjoint(self.words))
        )


@dataclass(frozen=True, slots=True)
class _Schema:
    """What a database has.

    Attributes:
        sources: All that is done.
        triggers: The names of functions that only triggers call.
        views: A word of each view's name.
    """

    sources: list[_Source]
    triggers: frozenset[str]
    views: frozenset[str]


def _trait(
    schema: _Schema, has_it: Callable[[_Source], bool], names: Iterable[str] = (), *, writes: bool = False
) -> Trait:
    doing = {place: set[str]() for place in _PLACES}
    doing["named"] |= set(names)
    left, more = schema.sources, [source for source in schema.sources if has_it(source)]
    while True:
        for source in more:
            doing[source.place] |= source.names
        named, tables = doing["named"], doing["inserted"]
        # An INSERT into a view goes to a table of another name.
        tables |= schema.views if tables else set()
        writes = writes or bool(doing["written"]) or not schema.triggers.isdisjoint(named)
        found = set(map(id, more))
        left = [source for source in left if id(source) not in found]
        more = [source for source in left if source.calls(named, tables, writing=writes)]
        if not more:
            break
    return Trait(
        frozenset(named - schema.triggers), writes, frozenset(tables), bool(doing["altered"]), bool(doing["anywhere"])
    )


def _first_word(name: str) -> str:
    """Return the first word of a name, which is in every text that has the name."""
    return min(words_of(name), default=name, key=name.lower().find)


_words = lru_cache(maxsize=1024)(words_of)
