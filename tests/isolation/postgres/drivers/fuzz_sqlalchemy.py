"""What applications do with an engine of SQLAlchemy's and its sessions, each as a step of a random test.

All of it is written for blocking engines; an asynchronous one runs a step by `run_sync`, as applications do with such code.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.dialects import postgresql as pg

from tests.isolation.postgres.drivers.fuzz_statements import SESSION_STATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    Step = Callable[["Program", int], object]


class StopError(Exception):
    """Code under test fails."""


class Base(orm.DeclarativeBase):
    """Of the tables of fuzz_statements.py."""


class Head(Base):
    """Its items hang on it by a deferred constraint."""

    __tablename__ = "head"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    items: orm.Mapped[list[Item]] = orm.relationship(back_populates="head", lazy="select")


class Item(Base):
    """Some of its columns."""

    __tablename__ = "item"
    a: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    b: orm.Mapped[str | None]
    mood: orm.Mapped[str | None] = orm.mapped_column(pg.ENUM("sad", "fine", name="mood", create_type=False))
    of: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("head.id"))
    head: orm.Mapped[Head | None] = orm.relationship(back_populates="items")


class Numbered(Base):
    """Its key is the server's."""

    __tablename__ = "numbered"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    data: orm.Mapped[Any] = orm.mapped_column(pg.JSONB)
    tags: orm.Mapped[list[str] | None] = orm.mapped_column(pg.ARRAY(sa.Text))


_SHORT_S = 0.05
_EVENTS = {
    "engine": ("begin", "commit", "rollback", "savepoint", "rollback_savepoint", "release_savepoint", "set_connection_execution_options"),
    "pool": ("connect", "first_connect", "checkout", "checkin", "reset", "invalidate", "close", "detach"),
}  # fmt: skip
_LEVELS = ("AUTOCOMMIT", "SERIALIZABLE", "REPEATABLE READ")


class Program:
    """A test with an engine.

    Args:
        engine: SQLAlchemy's, of a blocking or an asynchronous driver.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.connections: list[Any] = []
        self.sessions: list[Any] = []
        self.heard: list[str] = []

    @property
    def connection(self) -> Any:
        """The latest open connection."""
        if not self.connections:
            self.connections.append(self.engine.connect())
        return self.connections[-1]

    @property
    def session(self) -> Any:
        """The latest session."""
        if not self.sessions:
            self.sessions.append(orm.Session(self.engine))
        return self.sessions[-1]

    def execute_now(self, sql: str) -> object:
        """Run a text as the driver gets it, on the latest connection."""
        return result(self.connection.exec_driver_sql(sql))

    def state_now(self) -> object:
        """Return what the engine, and a session of the server's, are like at the beginning."""
        connection = self.engine.connect()
        dialect = self.engine.dialect
        found = [
            tuple(connection.exec_driver_sql(SESSION_STATE).one()), connection.get_isolation_level(),
            connection.default_isolation_level, dialect.default_schema_name, self.engine.pool.status(),
            type(self.engine.pool).__name__, self.engine.name, self.engine.driver, dialect.server_version_info,
            str(self.engine.get_execution_options()),
        ]  # fmt: skip
        connection.close()
        return found

    def status(self) -> object:
        """Return what connections and sessions say of themselves."""
        connections = [
            each.closed or (each.invalidated, each.in_transaction(), each.in_nested_transaction())
            for each in self.connections
        ]
        sessions = [
            (
                each.in_transaction(),
                each.in_nested_transaction(),
                each.is_active,
                len(each.new),
                len(each.dirty),
            )
            for each in self.sessions
        ]
        heard, self.heard = self.heard, []
        return connections, sessions, self.engine.pool.status(), heard

    def end(self) -> None:
        """Close what a `with` would have closed."""
        for each in (*self.sessions, *self.connections):
            with contextlib.suppress(sa.exc.SQLAlchemyError):  # What was a savepoint's may be gone.
                each.close()


def result(answer: Any) -> object:
    """Return what a result holds."""
    if not answer.returns_rows:
        return answer.rowcount
    return list(answer.keys()), [str(row) for row in answer]


# Connections


def _connect(program: Program, n: int) -> None:
    engine = program.engine if n == 1 else program.engine.execution_options(isolation_level=_LEVELS[n - 1])
    program.connections.append(engine.connect())


def _close(program: Program, _: int) -> None:
    if program.connections:
        program.connections.pop(0).close()


def _begin(program: Program, n: int) -> None:
    program.connection.begin_nested() if n == 1 else program.connection.begin()


def _end_transaction(program: Program, n: int) -> object:
    connection = program.connection
    transaction = connection.get_nested_transaction() or connection.get_transaction()
    if transaction is None:
        return None
    return (
        [transaction.commit, transaction.rollback, transaction.close][n - 1](),
        transaction.is_active,
        transaction.is_valid,
    )


def _with_begin(program: Program, n: int) -> object:
    with program.engine.begin() as connection:
        connection.execute(sa.insert(Head).values(id=n))
        if n == 1:
            with connection.begin_nested():
                connection.execute(sa.insert(Head).values(id=n))
        if n == 2:
            raise StopError
        return result(connection.execute(sa.select(Head.id).order_by(Head.id)))


def _level(program: Program, n: int) -> object:
    program.connection.execution_options(isolation_level=_LEVELS[n - 1])
    return program.connection.get_isolation_level()


def _options(program: Program, n: int) -> object:
    options: Any = [
        {"postgresql_readonly": True},
        {"postgresql_deferrable": True},
        {"stream_results": True, "max_row_buffer": 2},
    ][n - 1]
    program.connection.execution_options(**options)
    return str(program.connection.get_execution_options())


def _streamed(program: Program, n: int) -> object:
    streamed = program.connection.execution_options(yield_per=2).execute(sa.text("SELECT * FROM generate_series(1, 9)"))
    if n == 1:
        return [len(part) for part in streamed.partitions()]
    return str(streamed.fetchmany(n)), streamed.close() if n == 3 else None


def _many(program: Program, n: int) -> object:
    rows = [{"a": n + number, "b": "m"} for number in range(3)]
    if n == 1:
        return result(program.connection.execute(sa.insert(Item).returning(Item.a, sort_by_parameter_order=True), rows))
    return program.connection.execute(sa.insert(Item), rows).rowcount


def _upsert(program: Program, n: int) -> object:
    insert = pg.insert(Item).values(a=n, b="u")
    upsert = insert.on_conflict_do_update(index_elements=[Item.a], set_={"b": insert.excluded.b})
    return result(program.connection.execute(upsert.returning(Item.a, Item.b)))


def _types(program: Program, n: int) -> object:
    values = {"data": {"a": [n, None]}, "tags": ["a", "b'"]}
    return result(
        program.connection.execute(sa.insert(Numbered).values(values).returning(Numbered.data, Numbered.tags))
    )


def _raw(program: Program, n: int) -> object:
    raw = program.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"INSERT INTO head VALUES ({n})")
        cursor.close()
        if n == 2:
            raw.commit()
        if n == 3:
            raw.detach()
    finally:
        raw.close()
    return raw.is_valid


def _invalidate(program: Program, n: int) -> object:
    if n == 1:
        program.connection.invalidate()
    elif n == 2:
        program.connection.detach()
    else:
        program.engine.dispose(close=False) if not program.engine.dialect.is_async else None
    return program.connection.invalidated


def _lost(program: Program, n: int) -> object:
    with program.engine.connect() as connection:
        try:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        except sa.exc.DBAPIError as error:
            return error.connection_invalidated, connection.invalidated
    return None


def _cancelled(program: Program, _: int) -> object:
    if program.engine.dialect.is_async:
        sa.util.await_only(_cut_short(program))
    return program.connection.invalidated


async def _cut_short(program: Program) -> None:
    async with asyncio.timeout(_SHORT_S):
        await sa.util.greenlet_spawn(program.execute_now, "SELECT pg_sleep(60)")


def _two_phase(program: Program, n: int) -> object:
    with program.engine.connect() as connection:
        transaction = connection.begin_twophase(f"fuzz_{n}")
        connection.execute(sa.insert(Head).values(id=n))
        transaction.prepare()
        if n == 1:
            transaction.commit()
        elif n == 2:
            transaction.rollback()
        return connection.recover_twophase()


def _inspected(program: Program, n: int) -> object:
    inspector = sa.inspect(program.engine if n == 1 else program.connection)
    found = [
        sorted(inspector.get_table_names()),
        inspector.has_table("scratch"),
        inspector.get_enums(),
        inspector.get_schema_names(),
    ]
    return (
        str(found),
        str(inspector.get_columns("item")),
        inspector.get_foreign_keys("item"),
        inspector.get_temp_table_names(),
    )


def _reflected(program: Program, n: int) -> object:
    metadata = sa.MetaData()
    metadata.reflect(program.connection if n == 1 else program.engine)
    return {name: [str(column.type) for column in table.columns] for name, table in sorted(metadata.tables.items())}


def _created(program: Program, n: int) -> None:
    metadata = sa.MetaData()
    sa.Table(
        f"made_{n}",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mood", sa.Enum("a", "b", name="ab")),
    )
    metadata.create_all(program.connection if n == 1 else program.engine)
    if n == 3:
        metadata.drop_all(program.engine)


def _events(program: Program, n: int) -> None:
    target, names = [
        (program.engine, _EVENTS["engine"]),
        (program.engine.pool, _EVENTS["pool"]),
        (program.session, ()),
    ][n - 1]
    for name in names:
        event.listen(target, name, lambda *_, name=name: program.heard.append(name))
    if n == 3:
        for name in ("after_begin", "after_commit", "after_rollback", "before_flush", "after_transaction_end"):
            event.listen(target, name, lambda *_, name=name: program.heard.append(name))


def _set_for_each(program: Program, n: int) -> None:
    def set_up(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET app.other = '{n}'")
        cursor.close()

    event.listen(
        program.engine,
        ["connect", "checkout", "begin"][n - 1],
        set_up if n == 1 else lambda *_: program.heard.append("!"),
    )


def _rewritten(program: Program, n: int) -> None:
    def rewrite(_: Any, __: Any, statement: str, values: Any, ___: Any, ____: Any) -> Any:
        return f"{statement} -- {n}", values

    event.listen(program.engine, "before_cursor_execute", rewrite, retval=True)


def _dispose(program: Program, _: int) -> object:
    program.engine.dispose()
    return program.engine.pool.status()


# Sessions


def _new_session(program: Program, n: int) -> None:
    bind = program.connection if n == 1 else program.engine
    mode: Any = "create_savepoint" if n == 1 else "conditional_savepoint"
    program.sessions.append(orm.Session(bind, join_transaction_mode=mode, expire_on_commit=n != 2, autoflush=n != 3))


def _add(program: Program, n: int) -> object:
    session = program.session
    session.add(Head(id=n, items=[Item(a=n, b="s"), Item(a=n + 1)]) if n < 3 else Numbered(data={"a": n}))
    return len(session.new)


def _query(program: Program, n: int) -> object:
    items = program.session.scalars(sa.select(Item).order_by(Item.a).where(Item.a <= n)).all()
    return [(item.a, item.b, item.mood, item.head.id if item.head else None) for item in items]


def _change(program: Program, n: int) -> object:
    item = program.session.get(Item, n, with_for_update=n == 2)
    if item is None:
        return None
    if n == 3:
        program.session.delete(item)
    else:
        item.b = f"{item.b}{n}"
    return item.a


def _nested(program: Program, n: int) -> object:
    with program.session.begin_nested():
        program.session.add(Head(id=n))
        if n == 2:
            raise StopError
    return program.session.in_nested_transaction()


def _refreshed(program: Program, n: int) -> object:
    item = program.session.get(Item, 0)
    if n == 1:
        program.session.expire_all()
    elif n == 2:
        program.session.refresh(item)
    else:
        program.session.expunge(item)
    return item.b, sa.inspect(item).detached


def _bulk(program: Program, n: int) -> object:
    if n == 1:
        return program.session.execute(sa.update(Item).where(Item.a == 0).values(b="bulk").returning(Item.b)).all()
    if n == 2:
        return program.session.execute(sa.delete(Item).where(Item.a == 0)).rowcount
    return program.session.bulk_insert_mappings(Numbered, [{"data": 1}, {"data": None}])


def _session_begin(program: Program, n: int) -> object:
    session = program.session
    with session.begin():
        session.add(Head(id=n))
        if n == 2:
            session.rollback()
        if n == 3:
            raise StopError
    return session.in_transaction()


def _session_level(program: Program, n: int) -> object:
    connection = program.session.connection(execution_options={"isolation_level": _LEVELS[n - 1]})
    return connection.get_isolation_level()


STEPS: dict[str, Step] = {
    "connect": _connect, "close": _close, "begin": _begin, "end transaction": _end_transaction, "with begin": _with_begin,
    "commit": lambda program, _: program.connection.commit(), "rollback": lambda program, _: program.connection.rollback(),
    "rollback again": lambda program, _: program.connection.rollback(), "level": _level, "options": _options,
    "streamed": _streamed, "many": _many, "upsert": _upsert, "types": _types, "raw": _raw, "invalidate": _invalidate,
    "lost": _lost,
    "cancelled": _cancelled, "two-phase": _two_phase, "inspected": _inspected, "reflected": _reflected, "created": _created,
    "events": _events, "set for each": _set_for_each, "rewritten": _rewritten, "dispose": _dispose,
    "new session": _new_session, "add": _add, "query": _query, "change": _change, "nested": _nested, "refreshed": _refreshed,
    "bulk": _bulk, "session begin": _session_begin, "session level": _session_level,
    "flush": lambda program, _: program.session.flush(),
    "session commit": lambda program, _: program.session.commit(),
    "session commit again": lambda program, _: program.session.commit(),
    "session rollback": lambda program, _: program.session.rollback(),
    "session rollback again": lambda program, _: program.session.rollback(),
    "session close": lambda program, n: [program.session.close, program.session.reset, program.session.invalidate][n - 1](),
}  # fmt: skip
LAST: dict[str, Step] = {"dispose last": _dispose}


class BlockingProgram(Program):
    """A test with an engine of a blocking driver."""

    async def execute(self, sql: str) -> object:
        """Run a text."""
        return self.execute_now(sql)

    async def call(self, step: Step, n: int) -> object:
        """Do a step."""
        return step(self, n)

    async def state(self) -> object:
        """See `state_now`."""
        return self.state_now()


class AsyncProgram(Program):
    """A test with an engine of an asynchronous driver: what a step calls, a greenlet awaits."""

    async def execute(self, sql: str) -> object:
        """Run a text."""
        return await sa.util.greenlet_spawn(self.execute_now, sql)

    async def call(self, step: Step, n: int) -> object:
        """Do a step."""
        return await sa.util.greenlet_spawn(step, self, n)

    async def state(self) -> object:
        """See `state_now`."""
        return await sa.util.greenlet_spawn(self.state_now)
