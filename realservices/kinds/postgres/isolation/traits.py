"""What a database's schema does by itself, which the words of a statement do not tell.

Triggers, column defaults, functions and views may use the time, defer a check to COMMIT, or call what hangs on it.
Read once for each schema; what a test changes in it shows in the words of its own statements.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from realservices.kinds.postgres.isolation.needs import Needs

_OWN = "NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))"
# An expression's call of a function that is not PostgreSQL's own: those have object ids from 16384 on.
_CALL_OF_USERS = ":funcid ([0-9]{6,}|[2-9][0-9]{4}|1[7-9][0-9]{3}|16[4-9][0-9]{2}|1639[0-9]|1638[4-9]) "
# Expressions are looked at in the form in which PostgreSQL keeps them, which names functions by object id.
_QUERY = f"""WITH clock AS MATERIALIZED (
        SELECT format('SQLVALUEFUNCTION|:funcid (%s) ', string_agg(oid::text, '|')) AS pattern FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname IN ('now', 'transaction_timestamp') OR (proname = 'age' AND pronargs = 1))),
    rules AS MATERIALIZED (SELECT relname, ev_action::text AS action
        FROM pg_class JOIN pg_rewrite ON ev_class = pg_class.oid WHERE relnamespace {_OWN})
    SELECT json_build_object(
        'settings', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN (
            'default_transaction_isolation', 'default_transaction_read_only', 'default_transaction_deferrable',
            'idle_in_transaction_session_timeout', 'transaction_timeout')),
        'defers', EXISTS (SELECT FROM pg_trigger WHERE tginitdeferred) OR EXISTS (SELECT FROM pg_foreign_table)
            OR EXISTS (SELECT FROM pg_constraint WHERE condeferred),
        'clock_in_checks', EXISTS (SELECT FROM pg_constraint, clock
            WHERE contype = 'c' AND connamespace {_OWN} AND conbin::text ~ pattern),
        'clock_in_defaults', (SELECT json_agg(DISTINCT relname)
            FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid, clock WHERE adbin::text ~ pattern),
        'clock_in_views', (SELECT json_agg(relname) FROM rules, clock WHERE action ~ pattern),
        'views', (SELECT json_agg(relname) FROM pg_class WHERE relkind = 'v' AND relnamespace {_OWN}),
        'calling', (SELECT json_agg(relname) FROM (SELECT relname, action FROM rules
            UNION ALL SELECT relname, polqual::text FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid) AS own
            WHERE action ~ '{_CALL_OF_USERS}'),
        'foreign', (SELECT json_agg(proname) FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
            WHERE pronamespace {_OWN} AND lanname IN ('internal', 'c') AND provolatile = 'v'),
        'functions', (SELECT json_agg(json_build_array(proname, prorettype = 'trigger'::regtype,
                coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)))
            FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
            WHERE pronamespace {_OWN} AND lanname NOT IN ('internal', 'c')))"""  # noqa: S608 - the parts are constants
_HARMLESS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}


# Before PostgreSQL 14 there are no functions in SQL's own syntax.
_FIRST_WITH_SQL_BODIES = 140000


def traits_query(server_version_num: int) -> str:
    """Return a query that answers with one value, for `traits_of`."""
    if server_version_num >= _FIRST_WITH_SQL_BODIES:
        return _QUERY
    return _QUERY.replace("coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc)", "prosrc")


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
        commits_always: This database gives its transactions settings that cannot hold for one around a whole test.
        hanging: See `Needs.hangs`.
        clock: See `Needs.reads_clock`.
        outlasting: See `Needs.outlasts_reset`.
        session: See `Needs.alters_session`.
        writing: The opposite of `Needs.only_reads`.
    """

    commits_always: bool = False
    hanging: Trait = Trait()
    clock: Trait = Trait()
    outlasting: Trait = Trait()
    session: Trait = Trait()
    writing: Trait = Trait()


def traits_of(answer: str) -> Traits:
    """Return the traits of a database by its answer to `traits_query`."""
    found: dict[str, Any] = json.loads(answer)
    functions = [
        _Function(str(name).lower(), bool(fires), str(source)) for name, fires, source in found["functions"] or ()
    ]
    views = {str(name).lower() for name in found["clock_in_views"] or ()}
    defers = bool(found["defers"])
    callers = [*(found["calling"] or ()), *(found["foreign"] or ())]
    defaults = found["clock_in_defaults"] or ()
    # An INSERT into a view goes to a table of another name.
    tables = frozenset(_first_word(name) for name in (*defaults, *((found["views"] or ()) if defaults else ())))
    return Traits(
        commits_always=any(_HARMLESS[name] != value for name, value in found["settings"].items()),
        hanging=_trait(functions, lambda source: body_hangs(source) or (defers and body_writes(source)), writes=defers),
        clock=_trait(
            functions,
            lambda source: body_reads_clock(source) or (body_inserts(source) and _names_any(source, tables)),
            views,
            writes=bool(found["clock_in_checks"]),
            tables=tables,
        ),
        outlasting=_trait(functions, body_outlasts_reset),
        session=_trait(functions, body_alters_session),
        writing=_trait(functions, body_writes, {str(name).lower() for name in callers}),
    )


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    is_trigger: bool
    source: str


def _trait(
    functions: list[_Function],
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
    return Trait(frozenset(names - triggers), writes or not triggers.isdisjoint(names), tables)


def _names_any(source: str, tables: frozenset[str]) -> bool:
    """Return whether a function's source names one of some tables, or puts statements together."""
    return bool(tables) and not (tables | {"execute"}).isdisjoint(_words(source))


def _first_word(name: str) -> str:
    """Return the first word of a name, which is in every text that has the name."""
    return min(words_of(name), default=name, key=name.lower().find)


_words = lru_cache(maxsize=1024)(words_of)
