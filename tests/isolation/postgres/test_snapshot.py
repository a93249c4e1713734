"""What running servers have written is undone in place: rows, sequences, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.isolation.postgres import snapshot as database_snapshot
from realservices.isolation.postgres.snapshot import DatabaseSnapshot

if TYPE_CHECKING:
    from realservices.isolation.postgres.cloned_database import ClonedDatabase

_SCHEMA = """
    CREATE SCHEMA app;
    CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE, shout text GENERATED ALWAYS AS (upper(email)) STORED);
    CREATE TABLE app."Orders of all" (id int GENERATED ALWAYS AS IDENTITY, user_id int REFERENCES users ON DELETE RESTRICT);
    CREATE TABLE parts (day date, amount int) PARTITION BY RANGE (day);
    CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2000-01-01') TO ('2010-01-01');
    CREATE TABLE noticed (what text);
    CREATE TYPE mood AS ENUM ('glad');
    CREATE VIEW names AS SELECT email FROM users;
    CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO noticed VALUES (TG_OP); RETURN NULL; END $$;
    CREATE TRIGGER notice AFTER INSERT OR DELETE ON users FOR EACH STATEMENT EXECUTE FUNCTION notice();
    INSERT INTO users (email) VALUES ('ada@example.com'), ('grace@example.com');
    INSERT INTO parts VALUES ('2001-01-01', 7);
"""
_CONTENT = """SELECT (SELECT array_agg(users ORDER BY id)::text FROM users),
    (SELECT array_agg(o)::text FROM app."Orders of all" o),
    (SELECT array_agg(parts)::text FROM parts), (SELECT array_agg(noticed)::text FROM noticed)"""


@pytest.fixture
async def database(cloned_database: ClonedDatabase) -> asyncpg.Connection:
    connection = await cloned_database.connect()
    await connection.execute(_SCHEMA)
    return connection


@pytest.fixture
async def snapshot(database: asyncpg.Connection) -> DatabaseSnapshot:
    taken = DatabaseSnapshot()
    await taken.take(database)
    return taken


@pytest.mark.parametrize(
    ("statement", "touched"),
    [
        ("INSERT INTO users (email) VALUES ('alan@example.com')", ["public.noticed", "public.users"]),
        ("UPDATE users SET email = 'x' || email WHERE id = 1", ["public.users"]),
        ("DELETE FROM users WHERE id = 2", ["public.noticed", "public.users"]),
        ("TRUNCATE users CASCADE", ["public.users"]),
        (
            "DELETE FROM users; INSERT INTO users (id, email) VALUES (1, 'ada@example.com')",
            ["public.noticed", "public.users"],
        ),
        ("""INSERT INTO app."Orders of all" (user_id) VALUES (1)""", ['app."Orders of all"']),
        ("UPDATE parts SET amount = 8", ["public.parts_old"]),
        ("INSERT INTO parts VALUES ('2002-02-02', 1)", ["public.parts_old"]),
    ],
)
async def test_rows_come_back_and_only_touched_tables_are_written(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, statement: str, touched: list[str]
) -> None:
    before = await database.fetchrow(_CONTENT)
    await database.execute(statement)
    assert await database.fetchrow(_CONTENT) != before

    assert sorted(await snapshot.restore(database)) == touched
    assert await database.fetchrow(_CONTENT) == before
    assert await snapshot.restore(database) == []


async def test_sequences_come_back_so_that_ids_repeat(database: asyncpg.Connection, snapshot: DatabaseSnapshot) -> None:
    for _ in range(2):
        assert await database.fetchval("INSERT INTO users (email) VALUES ('alan@example.com') RETURNING id") == 3
        assert await database.fetchval("""INSERT INTO app."Orders of all" (user_id) VALUES (3) RETURNING id""") == 1
        await snapshot.restore(database)
    await database.execute("SELECT nextval('users_id_seq')")
    await snapshot.restore(database)
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 3


@pytest.mark.parametrize("is_called", [False, True])
async def test_a_sequence_that_was_set_and_not_yet_called_comes_back(
    database: asyncpg.Connection, is_called: bool
) -> None:
    await database.execute(f"SELECT setval('users_id_seq', 500, {is_called})")
    snapshot = DatabaseSnapshot()
    await snapshot.take(database)
    for _ in range(2):
        assert await database.fetchval("SELECT nextval('users_id_seq')") == 500 + is_called
        await snapshot.restore(database)
    await database.execute("SELECT setval('users_id_seq', 700, false)")
    await snapshot.restore(database)
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 500 + is_called


@pytest.mark.parametrize("when", ["ALWAYS", "REPLICA"])
async def test_triggers_and_rules_that_fire_for_replicas_do_not_fire_for_the_way_back(
    database: asyncpg.Connection, when: str
) -> None:
    await database.execute(f"""
        CREATE RULE "note it" AS ON DELETE TO parts_old DO ALSO INSERT INTO noticed VALUES ('rule');
        ALTER TABLE users ENABLE {when} TRIGGER notice;
        ALTER TABLE parts_old ENABLE {when} RULE "note it";
    """)
    snapshot = DatabaseSnapshot()
    await snapshot.take(database)
    before = await database.fetchrow(_CONTENT)
    await database.execute("INSERT INTO users (email) VALUES ('alan@example.com'); UPDATE parts SET amount = 8")
    await snapshot.restore(database)
    assert await database.fetchrow(_CONTENT) == before
    modes = await database.fetch("""SELECT tgenabled FROM pg_trigger WHERE tgname = 'notice'
        UNION ALL SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'note it'""")
    assert [mode[0] for mode in modes] == [when[0].encode()] * 2


async def test_what_was_rolled_back_touches_nothing_that_can_be_seen(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot
) -> None:
    transaction = database.transaction()
    await transaction.start()
    await database.execute("DELETE FROM users")
    await transaction.rollback()
    assert await snapshot.restore(database) == []


async def test_other_connections_stay_and_see_the_restored_rows(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    await server.execute("INSERT INTO users (email) VALUES ('alan@example.com')")
    await snapshot.restore(database)
    assert await server.fetchval("SELECT count(*) FROM users") == 2


async def test_a_transaction_that_ends_soon_is_waited_for(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    transaction = server.transaction()
    await transaction.start()
    await server.execute("INSERT INTO users (email) VALUES ('alan@example.com')")
    restoring = asyncio.create_task(snapshot.restore(database))
    while await server.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%backend_xid%'") == 0:
        await asyncio.sleep(0)
    assert not restoring.done()
    await transaction.commit()
    assert sorted(await restoring) == ["public.noticed", "public.users"]


async def test_a_statement_that_runs_and_has_not_written_yet_is_waited_for(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    statement = "INSERT INTO noticed SELECT 'late' FROM pg_sleep(0.2)"
    running = asyncio.create_task(server.execute(statement))
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1"
    while await database.fetchval(active, statement) == 0:
        await asyncio.sleep(0)
    assert await snapshot.restore(database) == ["public.noticed"]
    await running
    assert await database.fetchval("SELECT count(*) FROM noticed") == 1


async def test_a_statement_that_only_waits_is_no_error(
    database: asyncpg.Connection,
    snapshot: DatabaseSnapshot,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_snapshot, "_STATEMENT_TIMEOUT_S", 0.1)
    server = await cloned_database.connect()
    running = asyncio.create_task(server.execute("SELECT pg_sleep(600)"))
    while not await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'"):
        await asyncio.sleep(0)
    assert await snapshot.restore(database) == []
    assert not running.done()
    server.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await running


async def test_a_transaction_that_stays_open_is_an_error_that_shows_it(
    database: asyncpg.Connection,
    snapshot: DatabaseSnapshot,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_snapshot, "_QUIET_TIMEOUT_S", 0.2)
    server = await cloned_database.connect(server_settings={"application_name": "backend"})
    transaction = server.transaction()
    await transaction.start()
    await server.execute("INSERT INTO users (email) VALUES ('late@example.com')")
    with pytest.raises(IsolationError, match=r"process \d+ 'backend': INSERT INTO users .*'late@example.com'"):
        await snapshot.restore(database)


async def test_what_a_server_writes_while_rows_are_put_back_is_found_the_next_time(
    database: asyncpg.Connection,
    snapshot: DatabaseSnapshot,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = await cloned_database.connect()
    versions, looks = database_snapshot._versions, 0
    writing: asyncio.Task[str] | None = None

    async def write_before_the_last_look(connection: asyncpg.Connection, names: list[str]) -> Any:
        nonlocal looks, writing
        looks += 1
        if looks == 2:
            writing = asyncio.create_task(server.execute("INSERT INTO noticed VALUES ('background')"))
            await asyncio.wait([writing], timeout=0.2)
        return await versions(connection, names)

    monkeypatch.setattr(database_snapshot, "_versions", write_before_the_last_look)
    await database.execute("DELETE FROM noticed")
    assert await snapshot.restore(database) == ["public.noticed"]
    assert writing is not None
    await writing
    assert await snapshot.restore(database) == ["public.noticed"]
    assert await database.fetchval("SELECT count(*) FROM noticed") == 1


async def test_a_transaction_that_stays_open_ends_with_the_test_that_caused_it(
    database: asyncpg.Connection,
    snapshot: DatabaseSnapshot,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_snapshot, "_QUIET_TIMEOUT_S", 0.2)
    before = await database.fetchrow(_CONTENT)
    server = await cloned_database.connect()
    await server.execute("BEGIN; INSERT INTO users (email) VALUES ('late@example.com')")
    with pytest.raises(IsolationError, match="connection has been ended"):
        await snapshot.restore(database)
    assert await database.fetchrow(_CONTENT) == before
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 3
    await snapshot.restore(database)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TABLE extra (id int)", "made public.extra"),
        ("DROP TABLE noticed CASCADE", "dropped public.noticed"),
        ("ALTER TABLE users ADD COLUMN age int", "changed public.users"),
        ("CREATE INDEX by_email ON users (email)", "made public.by_email"),
        ("CREATE SEQUENCE extra", "made public.extra, sequence extra"),
        ("ALTER SEQUENCE users_id_seq INCREMENT 7", "changed sequence users_id_seq"),
        ("ALTER TYPE mood ADD VALUE 'sad'", "changed type mood"),
        ("ALTER TABLE users ALTER email SET DEFAULT 'x'", "made default of users.email"),
        ("ALTER TABLE users ALTER email SET NOT NULL", "changed public.users"),
        ("ALTER TABLE users ENABLE ROW LEVEL SECURITY", "changed public.users"),
        ("GRANT SELECT ON users TO PUBLIC", "changed public.users"),
        (
            "ALTER TABLE users ADD CONSTRAINT short CHECK (length(email) < 9) NOT VALID",
            "made constraint short on users",
        ),
        ("ALTER TABLE users DISABLE TRIGGER notice", "changed trigger notice on users"),
        ("CREATE RULE keep AS ON DELETE TO users DO INSTEAD NOTHING", "made rule keep on users"),
        ("CREATE OR REPLACE VIEW names AS SELECT 'none'::text AS email", r'changed rule "_RETURN" on names'),
        ("CREATE POLICY mine ON users", "made policy mine on users"),
        ("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1", r"made function one\(\)"),
        (
            "CREATE OR REPLACE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            r"changed function notice\(\)",
        ),
        ("CREATE EXTENSION pg_trgm", "made extension pg_trgm"),
    ],
)
async def test_a_changed_schema_is_an_error_that_names_it(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, statement: str, words: str
) -> None:
    await database.execute(statement)
    with pytest.raises(IsolationBrokenError, match=words):
        await snapshot.restore(database)


async def test_what_is_temporary_is_no_change_of_the_schema(
    database: asyncpg.Connection, snapshot: DatabaseSnapshot, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    await server.execute("""CREATE TEMP TABLE own (id serial PRIMARY KEY, mood mood CHECK (mood <> 'glad'));
        CREATE TRIGGER notice AFTER INSERT ON own FOR EACH STATEMENT EXECUTE FUNCTION notice();
        CREATE TEMP VIEW mine AS SELECT * FROM own""")
    assert await snapshot.restore(database) == []


async def test_a_database_without_tables_is_fine(cloned_database: ClonedDatabase) -> None:
    connection: Any = await cloned_database.connect()
    snapshot = DatabaseSnapshot()
    await snapshot.take(connection)
    assert await snapshot.restore(connection) == []
