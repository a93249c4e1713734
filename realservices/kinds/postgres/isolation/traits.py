"""What a database's schema does by itself, which the words of a statement do not tell.

Triggers, column defaults, functions and views may use the time, defer a check to COMMIT, or call what hangs on it.
Read once for each schema; what a test changes in it shows in the words of its own statements. A template tells what it
has, and nobody need ask where nothing was written since.
"""

from __future__ import annotations

import json
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
    from collections.abc import Callable, Collection

    from realservices.kinds.postgres.isolation.needs import Needs

TOLD = f"SELECT {TOLD_TRAITS}, {NEXT_TRANSACTION} AS next"
"""A query for `told_traits`: its row has the columns ``told`` and ``next``."""
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
        names: Lower-case names of functions and views; a text with one of them may do it.
        writes: Every text that writes rows may do it.
        tables: A word of the lower-case names of tables and views; a text with one of them that writes what a column's
            default says may do it.
    """

    names: frozenset[str] = frozenset()
    writes: bool = False
    tables: frozenset[str] = frozenset()

    @property
    def is_in_writes(self) -> bool:
        """Whether there is a text that writes and may do it."""
        return self.writes or bool(self.tables)

    def is_in(self, sql: str, needs: Needs) -> bool:
        """Return whether a text, which needs ``needs``, may do it."""
        if self.writes and needs.writes:
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
    functions = [
        _Function(str(name).lower(), bool(fires), str(source)) for name, fires, source in found["functions"] or ()
    ]
    keys = "clock_in_views", "views", "calling", "foreign"
    names = (frozenset(str(name).lower() for name in found[key] or ()) for key in keys)
    clock_in_views, views, calling, foreign = names
    # A view may call a function, or have another view that does.
    callers = calling | views
    defers = bool(found["defers"])
    defaults = found["clock_in_defaults"] or ()
    # An INSERT into a view goes to a table of another name.
    tables = frozenset(_first_word(name) for name in (*defaults, *((found["views"] or ()) if defaults else ())))
    return Traits(
        hanging=_trait(
            functions, callers, lambda source: body_hangs(source) or (defers and body_writes(source)), writes=defers
        ),
        clock=_trait(
            functions,
            callers,
            lambda source: body_reads_clock(source) or (body_inserts(source) and _names_any(source, tables)),
            clock_in_views,
            writes=bool(found["clock_in_checks"]),
            tables=tables,
        ),
        outlasting=_trait(functions, callers, body_outlasts_reset),
        session=_trait(functions, callers, body_alters_session),
        writing=_trait(functions, callers, body_writes, calling | foreign),
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
class _Function:
    name: str
    is_trigger: bool
    source: str


def _trait(
    functions: list[_Function],
    callers: frozenset[str],
    has_it: Callable[[str], bool],
    views: Collection[str] = (),
    *,
    writes: bool = False,
    tables: frozenset[str] = frozenset(),
) -> Trait:
    names = {*views, *(function.name for function in functions if has_it(function.source))}
    while more := {f.name for f in functions if f.name not in names and not names.isdisjoint(_words(f.source))}:
        names |= more
    triggers = {function.name for function in functions if function.is_trigger}
    called = frozenset(names - triggers)
    # A view or policy does not tell which function it calls.
    return Trait(called | callers if called else called, writes or not triggers.isdisjoint(names), tables)


def _names_any(source: str, tables: frozenset[str]) -> bool:
    """Return whether a function's source names one of some tables, or puts statements together."""
    return bool(tables) and not (tables | {"execute"}).isdisjoint(_words(source))


def _first_word(name: str) -> str:
    """Return the first word of a name, which is in every text that has the name."""
    return min(words_of(name), default=name, key=name.lower().find)


_words = lru_cache(maxsize=1024)(words_of)
