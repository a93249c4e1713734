"""What applications do with a connection of psycopg, blocking or asynchronous, each as a step of a random test."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import rows
from psycopg.types.enum import EnumInfo
from psycopg.types.json import Jsonb

from tests.isolation.postgres.drivers.fuzz_statements import SESSION_STATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Step = Callable[["Program", int], Awaitable[object]]

_SHORT_S = 0.05
FACTORIES = (rows.dict_row, rows.tuple_row, rows.namedtuple_row, rows.scalar_row)
CURSORS = (psycopg.Cursor, psycopg.ClientCursor, psycopg.RawCursor)
ASYNC_CURSORS = (psycopg.AsyncCursor, psycopg.AsyncClientCursor, psycopg.AsyncRawCursor)


class StopError(Exception):
    """Code under test fails."""


async def done(answer: Any) -> Any:
    """Await what an asynchronous connection gives."""
    return await answer if inspect.isawaitable(answer) else answer


async def every(answers: Any) -> AsyncIterator[Any]:
    """Iterate over what either connection gives."""
    if hasattr(answers, "__aiter__"):
        async for each in answers:
            yield each
    else:
        for each in answers:
            yield each


@contextlib.asynccontextmanager
async def within(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either connection."""
    if hasattr(manager, "__aenter__"):
        async with manager as entered:
            yield entered
    else:
        with manager as entered:
            yield entered


class Program:
    """A test with a connection.

    Args:
        connection: psycopg's.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_async = isinstance(connection, psycopg.AsyncConnection)
        self.open: list[contextlib.AsyncExitStack] = []
        self.cursors: list[Any] = []
        self.heard: list[object] = []

    async def execute(self, sql: str) -> object:
        """Run a text, as most applications do."""
        return await _result(await done(self.connection.execute(sql)))

    async def call(self, step: Step, n: int) -> object:
        """Do a step."""
        return await step(self, n)

    async def state(self) -> object:
        """Return what the client, and its session, are like at the beginning."""
        attributes = {name: _plain(value) for name, value in vars(self.connection).items()}
        for name in ("_lease", "_process", "_session", "_loop"):
            attributes.pop(name, None)
        session = await self.execute(SESSION_STATE)
        await done(self.connection.rollback())
        return attributes, session

    def status(self) -> object:
        """Return what the connection says of itself."""
        connection = self.connection
        if connection.closed:
            return connection.closed, connection.broken
        info = connection.info
        return (
            connection.broken, connection.autocommit, connection.isolation_level, connection.read_only,
            connection.deferrable, info.transaction_status, info.pipeline_status, info.status, info.encoding,
            info.parameter_status("TimeZone"), info.parameter_status("application_name"), info.error_message[:30],
            [str(heard) for heard in self.heard], info.parameter_status("DateStyle"), info.vendor, info.timezone,
        )  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, list | tuple | dict | str | int | type | None) or callable(value):
        return str(value).split(" at 0x")[0]
    return type(value).__name__


async def _result(cursor: Any) -> object:
    fetched = []
    while True:
        names = [column.name for column in cursor.description] if cursor.description else None
        rows = await done(cursor.fetchall()) if names is not None else None
        fetched.append((cursor.statusmessage, cursor.rowcount, names, str(rows)))
        if not cursor.nextset():
            return fetched


# Transactions


async def _enter(program: Program, manager: Any) -> None:
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(within(manager))
    program.open.append(stack)


async def _leave(program: Program, error: type[Exception] | None) -> object:
    if not program.open:
        return None
    raised = error() if error else None
    return await program.open.pop().__aexit__(error, raised, None)


async def _set(program: Program, name: str, value: object) -> None:
    if program.is_async:
        await getattr(program.connection, f"set_{name}")(value)
    else:
        setattr(program.connection, name, value)


async def _rolled_back(program: Program, n: int) -> object:
    async with within(program.connection.transaction()) as outer:
        await program.execute(f"INSERT INTO head VALUES ({n})")
        async with within(program.connection.transaction(f"s{n}")):
            await program.execute(f"INSERT INTO head VALUES ({n} + 10)")
            raise psycopg.Rollback(outer if n == 1 else None)
    return str(outer).split(" at 0x")[0]


async def _nested(program: Program, n: int) -> object:
    async with within(program.connection.transaction(force_rollback=n == 2)):
        await program.execute(f"INSERT INTO head VALUES ({n})")
        try:
            async with within(program.connection.transaction()):
                await program.execute(f"INSERT INTO head VALUES ({n})")
        except psycopg.Error as error:
            return await program.execute("TABLE head"), error.sqlstate
    return None


async def _committed_within(program: Program, n: int) -> None:
    async with within(program.connection.transaction()):
        await program.execute(f"INSERT INTO head VALUES ({n})")
        await done(program.connection.commit())


# Cursors


async def _named(program: Program, n: int) -> object:
    cursor = program.connection.cursor(f"named{n}", withhold=n == 1, scrollable=n == 2)
    program.cursors.append(cursor)
    await done(cursor.execute("SELECT a FROM public.item ORDER BY a"))
    return str(await done(cursor.fetchone()))


async def _fetched(program: Program, n: int) -> object:
    if not program.cursors:
        return None
    cursor = program.cursors[-1]
    if n == 3:
        await done(cursor.scroll(-1))
    return str([await done(cursor.fetchmany(n)), await done(cursor.fetchall()), cursor.rownumber])


async def _closed(program: Program, _: int) -> object:
    return await done(program.cursors.pop().close()) if program.cursors else None


async def _kept(program: Program, n: int) -> object:
    cursor = program.connection.cursor(binary=n == 1)
    program.cursors.append(cursor)
    await done(cursor.execute("SELECT a, b FROM item WHERE a < %s", [n]))
    return cursor.rowcount


async def _streamed(program: Program, n: int) -> object:
    cursor = program.connection.cursor()
    # So many that it cannot have ended when the loop does.
    answers = cursor.stream("SELECT * FROM generate_series(1, %s)", [10_000_000 if n == 2 else 20], size=n)
    found = []
    async for row in every(answers):
        found.append(str(row))
        if n == 2:
            break
    if program.is_async:
        await answers.aclose()
    else:
        answers.close()
    return found


async def _executemany(program: Program, n: int) -> object:
    cursor = program.connection.cursor()
    rows = [(n + number, "m") for number in range(3)]
    await done(cursor.executemany("INSERT INTO item (a, b) VALUES (%s, %s) RETURNING a", rows, returning=n == 1))
    return await _result(cursor) if n == 1 else cursor.rowcount


# COPY


async def _copied_in(program: Program, n: int) -> object:
    cursor = program.connection.cursor()
    async with within(cursor.copy("COPY item (a, b) FROM STDIN")) as copy:
        for number in range(n):
            await done(copy.write_row((n + number, "r")))
    return cursor.statusmessage, cursor.rowcount


async def _copy_fails(program: Program, n: int) -> None:
    async with within(program.connection.cursor().copy("COPY item (a, b) FROM STDIN")) as copy:
        await done(copy.write(f"{n}\tr\n"))
        if n == 1:
            await done(copy.write("no number\tr\n" * 2))
        elif n == 2:
            raise StopError
        else:
            await done(copy.write_row((["{"], 1, 2)))


async def _copied_out(program: Program, n: int) -> object:
    cursor = program.connection.cursor()
    most = 100 if n == 3 else 10_000_000
    async with within(cursor.copy("COPY (SELECT generate_series(1, %s)) TO STDOUT", [most])) as copy:
        found = []
        async for row in every(copy.rows()):
            found.append(row)
            if n == 1:
                break
            if n == 2:
                raise StopError
    return len(found), cursor.rowcount


# Pipelines, prepared statements


async def _pipelined(program: Program, n: int) -> object:
    connection = program.connection
    async with within(connection.pipeline()) as pipeline:
        cursors = [await done(connection.execute("SELECT %s::int + 1", [number])) for number in range(n)]
        await done(connection.execute(f"INSERT INTO head VALUES ({n})"))
        if n > 1:
            await done(pipeline.sync())
        if n == 3:
            await done(connection.execute("SELECT 1 / 0"))
        return [str(await done(cursor.fetchall())) for cursor in cursors]


async def _pipelined_transactions(program: Program, n: int) -> object:
    connection = program.connection
    async with within(connection.pipeline()):
        async with within(connection.transaction()):
            await done(connection.execute(f"INSERT INTO head VALUES ({n})"))
            cursor = await done(connection.execute("SELECT id FROM head ORDER BY id"))
        async with within(connection.transaction()):
            await done(connection.execute("DELETE FROM told WHERE 1 / %s = 1", [n - 1]))
        await done(connection.cursor().executemany("INSERT INTO item VALUES (%s)", [(n,), (n + 1,)]))
        return str(await done(cursor.fetchall()))


async def _prepared(program: Program, n: int) -> object:
    found = []
    for number in range(7):
        cursor = await done(
            program.connection.execute("SELECT b FROM item WHERE a = %s", [number], prepare=[None, True, False][n - 1])
        )
        found.append(str(await done(cursor.fetchall())))
    return found, await program.execute("SELECT count(*) FROM pg_prepared_statements")


async def _threshold(program: Program, n: int) -> None:
    program.connection.prepare_threshold = [None, 0, 2][n - 1]
    program.connection.prepared_max = [1, 100, None][n - 1]


# What lives in the client


async def _row_factory(program: Program, n: int) -> None:
    program.connection.row_factory = FACTORIES[n]


async def _cursor_factory(program: Program, n: int) -> None:
    program.connection.cursor_factory = (ASYNC_CURSORS if program.is_async else CURSORS)[n - 1]


async def _handlers(program: Program, n: int) -> object:
    connection = program.connection
    if n == 1:
        connection.add_notice_handler(lambda notice: program.heard.append(notice.message_primary))
    elif n == 2:
        connection.add_notify_handler(lambda notify: program.heard.append(notify.payload))
    else:
        return [notify.payload async for notify in every(connection.notifies(timeout=0))]
    return None


async def _adapters(program: Program, n: int) -> object:
    connection = program.connection
    connection.adapters.register_loader("int4", psycopg.types.string.TextLoader)
    if n == 1:
        info = await done(EnumInfo.fetch(connection, "mood"))
        psycopg.types.enum.register_enum(info, connection)
    cursor = await done(connection.execute("SELECT a, mood, %s::jsonb FROM item", [Jsonb({"a": n})]))
    return str(await done(cursor.fetchall()))


async def _cancel(program: Program, n: int) -> object:
    if n == 1:
        return program.connection.cancel()
    if n == 2:
        return await done(program.connection.cancel_safe())
    await program.execute("SET LOCAL statement_timeout = '20ms'")
    return await program.execute("SELECT pg_sleep(60)")


async def _cancelled(program: Program, _: int) -> object:
    if not program.is_async:
        return None
    async with asyncio.timeout(_SHORT_S):
        return await program.execute("SELECT pg_sleep(60)")


async def _two_phase(program: Program, n: int) -> object:
    connection = program.connection
    xid = connection.xid(1, f"fuzz_{n}", "branch")
    await done(connection.tpc_begin(xid))
    await program.execute(f"INSERT INTO head VALUES ({n})")
    if n < 3:
        await done(connection.tpc_prepare())
    if n == 2:
        return await done(connection.tpc_rollback())
    if n == 3:
        return await done(connection.tpc_commit())
    return [str(xid.gtrid) for xid in await done(connection.tpc_recover())]


async def _prepared_left(program: Program, n: int) -> None:
    xid = program.connection.xid(1, f"fuzz_{n}", "branch")
    await done(program.connection.tpc_begin(xid))
    await program.execute(f"INSERT INTO head VALUES ({n})")
    await done(program.connection.tpc_prepare())


async def _two_phase_end(program: Program, n: int) -> object:
    return await done(program.connection.tpc_commit(program.connection.xid(1, f"fuzz_{n}", "branch")))


async def _with_connection(program: Program, n: int) -> None:
    async with within(program.connection):
        await program.execute(f"INSERT INTO head VALUES ({n})")
        if n == 2:
            raise StopError


async def _large(program: Program, n: int) -> object:
    return await program.execute("SELECT repeat('x', 100000)")


LEVELS = (None, psycopg.IsolationLevel.SERIALIZABLE, psycopg.IsolationLevel.REPEATABLE_READ)
BOTH = (None, True, False)
STEPS: dict[str, Step] = {
    "commit": lambda program, _: done(program.connection.commit()),
    "commit again": lambda program, _: done(program.connection.commit()),
    "rollback": lambda program, _: done(program.connection.rollback()),
    "rollback again": lambda program, _: done(program.connection.rollback()),
    "rollback once more": lambda program, _: done(program.connection.rollback()),
    "autocommit": lambda program, n: _set(program, "autocommit", n < 3),
    "isolation level": lambda program, n: _set(program, "isolation_level", LEVELS[n - 1]),
    "read only": lambda program, n: _set(program, "read_only", BOTH[n - 1]),
    "deferrable": lambda program, n: _set(program, "deferrable", BOTH[n - 1]),
    "enter transaction": lambda program, n: _enter(program, program.connection.transaction(*[[], [], ["a"]][n - 1])),
    "leave": lambda program, _: _leave(program, None),
    "leave again": lambda program, _: _leave(program, None),
    "leave by error": lambda program, _: _leave(program, StopError),
    "leave by rollback": lambda program, _: _leave(program, psycopg.Rollback),
    "rolled back": _rolled_back, "nested": _nested, "committed within": _committed_within,
    "named cursor": _named, "fetched": _fetched, "closed cursor": _closed, "kept cursor": _kept, "streamed": _streamed,
    "executemany": _executemany, "copied in": _copied_in, "copy fails": _copy_fails, "copied out": _copied_out,
    "pipelined": _pipelined, "pipelined transactions": _pipelined_transactions, "prepared": _prepared, "threshold": _threshold, "row factory": _row_factory,
    "cursor factory": _cursor_factory, "handlers": _handlers, "adapters": _adapters, "cancel": _cancel, "cancelled": _cancelled,
    "two-phase": _two_phase, "two-phase left": _prepared_left, "two-phase end": _two_phase_end, "large": _large,
}  # fmt: skip
LAST = {"close": lambda program, _: done(program.connection.close()), "with": _with_connection}
