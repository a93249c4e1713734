"""What applications do with a connection of psycopg2, each as a step of a random test."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from psycopg2 import extensions, extras

from tests.isolation.postgres.drivers.fuzz_statements import SESSION_STATE

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[["Program", int], object]

_CURSORS = (None, extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor)
_LEVELS = (None, "SERIALIZABLE", extensions.ISOLATION_LEVEL_REPEATABLE_READ, "DEFAULT")
_BOTH = (None, True, False)
_ATTRIBUTES = (
    "autocommit",
    "isolation_level",
    "readonly",
    "deferrable",
    "encoding",
    "cursor_factory",
    "async_",
    "status",
)


class StopError(Exception):
    """Code under test fails."""


class Source(io.StringIO):
    """Rows of which the second one cannot be read."""

    def read(self, size: int | None = -1, /) -> str:
        """Return some, and fail after them."""
        raise StopError


class Program:
    """A test with a connection.

    Args:
        connection: psycopg2's.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursors: list[Any] = []

    async def execute(self, sql: str) -> object:
        """Run a text, as most applications do."""
        return self.answer(sql)

    def answer(self, sql: str, values: Any = None) -> object:
        """Run a text; return all that its cursor says."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            rows = [str(row) for row in cursor] if cursor.description else None
            return cursor.statusmessage, cursor.rowcount, [each.name for each in cursor.description or ()], rows

    async def call(self, step: Step, n: int) -> object:
        """Do a step."""
        return step(self, n)

    async def state(self) -> object:
        """Return what the client, and its session, are like at the beginning."""
        attributes = self.status(), str(self.connection.string_types), str(self.connection.binary_types)
        session = self.answer(SESSION_STATE)
        self.connection.rollback()
        return attributes, session

    def status(self) -> object:
        """Return what the connection says of itself."""
        connection = self.connection
        if connection.closed:
            return connection.closed
        attributes = [str(getattr(connection, name)) for name in _ATTRIBUTES]
        names = "TimeZone", "application_name", "DateStyle", "client_encoding"
        notified = [(notify.channel, notify.payload) for notify in connection.notifies]
        return (
            attributes, [connection.get_parameter_status(name) for name in names], connection.notices, notified,
            connection.get_transaction_status(), connection.info.transaction_status, connection.info.error_message,
        )  # fmt: skip


def _with(program: Program, n: int) -> object:
    with program.connection as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO head VALUES (%s)", [n])
        if n == 2:
            raise StopError
        return cursor.rowcount


def _named(program: Program, n: int) -> object:
    cursor = program.connection.cursor(f"named{n}", withhold=n == 1, scrollable=[None, True, False][n - 1])
    program.cursors.append(cursor)
    cursor.itersize = n
    cursor.execute("SELECT a FROM public.item WHERE a < %s ORDER BY a", [n])
    return str(cursor.fetchone())


def _kept(program: Program, n: int) -> object:
    cursor = program.connection.cursor(cursor_factory=_CURSORS[n])
    program.cursors.append(cursor)
    cursor.execute("SELECT a, b, seen FROM item WHERE a < %s", [n])
    return cursor.rowcount


def _fetched(program: Program, n: int) -> object:
    if not program.cursors:
        return None
    cursor = program.cursors[-1]
    if n == 3:
        cursor.scroll(-1)
    return str([cursor.fetchmany(n)[:1], cursor.rowcount, cursor.rownumber, len(cursor.fetchall())])


def _closed(program: Program, _: int) -> object:
    return program.cursors.pop().close() if program.cursors else None


def _copied_in(program: Program, n: int) -> object:
    with program.connection.cursor() as cursor:
        if n == 1:
            cursor.copy_from(io.StringIO("1\tr\n2\tr\n"), "item", columns=("a", "b"))
        else:
            cursor.copy_expert("COPY item (a, b) FROM STDIN", io.StringIO(f"{n}\tr\n"))
        return cursor.rowcount, cursor.statusmessage


def _copy_fails(program: Program, n: int) -> object:
    with program.connection.cursor() as cursor:
        cursor.copy_expert("COPY item (a, b) FROM STDIN", Source() if n == 1 else io.StringIO("no number\tr\n"))
        return cursor.rowcount


def _copied_out(program: Program, n: int) -> object:
    target = io.StringIO()
    with program.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY (SELECT a FROM item WHERE a < {n} ORDER BY a) TO STDOUT", target)
    return target.getvalue()


def _executemany(program: Program, n: int) -> object:
    rows = [(n + number, "m") for number in range(3)]
    with program.connection.cursor() as cursor:
        if n == 1:
            cursor.executemany("INSERT INTO item (a, b) VALUES (%s, %s)", rows)
        elif n == 2:
            extras.execute_batch(cursor, "INSERT INTO item (a, b) VALUES (%s, %s)", rows, page_size=2)
        else:
            return str(extras.execute_values(cursor, "INSERT INTO item (a, b) VALUES %s RETURNING a", rows, fetch=True))
        return cursor.rowcount


def _types(program: Program, n: int) -> object:
    connection = program.connection
    if n == 1:
        text = extensions.new_type((23,), "TEXT", lambda value, _: f"<{value}>")
        extensions.register_type(text, connection)
    elif n == 2:
        extras.register_default_jsonb(connection, loads=lambda text: text)
    else:
        extras.register_composite("item", connection)
    return program.answer("SELECT a, '{\"a\": 1}'::jsonb, (SELECT i FROM item AS i LIMIT 1) FROM item ORDER BY a")


def _adapted(program: Program, n: int) -> object:
    values = {"list": [n, 2], "json": extras.Json({"a": n}), "text": "it's \\ %", "none": None}
    return program.answer("SELECT %(list)s, %(json)s::jsonb, %(text)s, %(none)s", values)


def _large_object(program: Program, n: int) -> object:
    large = program.connection.lobject(0, "w", n + 500) if n < 3 else program.connection.lobject(501, "rw")
    written = large.write("some")
    large.seek(0)
    if n == 2:
        large.close()
    return large.oid, written, large.closed, large.mode


def _cancel(program: Program, n: int) -> object:
    if n == 1:
        return program.connection.cancel()
    program.answer("SET LOCAL statement_timeout = '20ms'")
    return program.answer("SELECT pg_sleep(60)")


def _two_phase(program: Program, n: int) -> object:
    connection = program.connection
    xid = connection.xid(1, f"fuzz_{n}", "branch")
    connection.tpc_begin(xid)
    program.answer(f"INSERT INTO head VALUES ({n})")
    if n < 3:
        connection.tpc_prepare()
    if n == 2:
        connection.tpc_rollback()
    if n == 3:
        connection.tpc_commit()
    return [each.gtrid for each in connection.tpc_recover()]


def _two_phase_left(program: Program, n: int) -> None:
    program.connection.tpc_begin(program.connection.xid(1, f"fuzz_{n}", "branch"))
    program.answer(f"INSERT INTO head VALUES ({n})")
    if n > 1:
        program.connection.tpc_prepare()


def _heard(program: Program, _: int) -> object:
    program.connection.poll()
    return program.connection.notices


def _session(program: Program, n: int) -> None:
    program.connection.set_session(
        isolation_level=_LEVELS[n], readonly=_BOTH[n - 1], deferrable=n == 2, autocommit=n == 3
    )


def _set(name: str, *values: object) -> Step:
    return lambda program, n: setattr(program.connection, name, values[n - 1])


STEPS: dict[str, Step] = {
    "commit": lambda program, _: program.connection.commit(),
    "commit again": lambda program, _: program.connection.commit(),
    "rollback": lambda program, _: program.connection.rollback(),
    "rollback again": lambda program, _: program.connection.rollback(),
    "rollback once more": lambda program, _: program.connection.rollback(),
    "autocommit": _set("autocommit", True, True, False),
    "isolation level": lambda program, n: program.connection.set_isolation_level(n - 1),
    "isolation level as attribute": _set("isolation_level", *_LEVELS[:3]),
    "readonly": _set("readonly", *_BOTH), "deferrable": _set("deferrable", *_BOTH),
    "session": _session, "reset": lambda program, _: program.connection.reset(),
    "client encoding": lambda program, n: program.connection.set_client_encoding(["UTF8", "LATIN1", "SQL_ASCII"][n - 1]),
    "cursor factory": lambda program, n: setattr(program.connection, "cursor_factory", _CURSORS[n]),
    "own attribute": lambda program, n: setattr(program.connection, f"mine{n}", n),
    "notices": lambda program, _: setattr(program.connection, "notices", ["mine"]),
    "with": _with, "named cursor": _named, "kept cursor": _kept, "fetched": _fetched, "closed cursor": _closed,
    "copied in": _copied_in, "copy fails": _copy_fails, "copied out": _copied_out, "executemany": _executemany,
    "types": _types, "adapted": _adapted, "large object": _large_object, "cancel": _cancel, "two-phase": _two_phase,
    "two-phase left": _two_phase_left, "heard": _heard,
    "two-phase end": lambda program, n: program.connection.tpc_rollback(program.connection.xid(1, f"fuzz_{n}", "branch")),
    "procedure": lambda program, n: program.connection.cursor().callproc("set_config", ["work_mem", f"{n}MB", n == 1]),
}  # fmt: skip
LAST: dict[str, Step] = {
    "close": lambda program, _: program.connection.close(),
    "closing": lambda program, _: [program.connection.close(), program.connection.rollback()],
}
