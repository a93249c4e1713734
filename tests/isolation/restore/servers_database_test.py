"""What running servers have written is undone in place: rows, sequences, and nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import asyncpg
import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.postgres.databases import PRISTINE_DATABASE
from realservices.kinds.postgres.isolation.administration import Administration
from realservices.kinds.postgres.isolation.restore import quiet
from realservices.kinds.postgres.isolation.restore.cluster import ClusterState
from realservices.kinds.postgres.isolation.restore.servers_database import ServersDatabase
from realservices.kinds.postgres.isolation.restore.turns import ServerTurns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase

_DEADLINE_S = 60.0

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
    CREATE UNLOGGED TABLE fast (what text);
    INSERT INTO fast VALUES ('from the start');
    CREATE MATERIALIZED VIEW amounts AS SELECT sum(amount) AS amount FROM parts;
    SELECT lo_from_bytea(4242, 'first');
"""
_PLACES = """SELECT tableoid, ctid, xmin::text FROM users
    UNION ALL SELECT tableoid, ctid, xmin::text FROM app."Orders of all"
    UNION ALL SELECT tableoid, ctid, xmin::text FROM parts
    UNION ALL SELECT tableoid, ctid, xmin::text FROM noticed"""
_CONTENT = """SELECT (SELECT array_agg(fast)::text FROM fast), (SELECT array_agg(amounts)::text FROM amounts),
    (SELECT array_agg(m.oid || ' ' || lo_get(m.oid)::text) FROM pg_largeobject_metadata m),
    (SELECT array_agg(users ORDER BY id)::text FROM users),
    (SELECT array_agg(o)::text FROM app."Orders of all" o),
    (SELECT array_agg(parts)::text FROM parts), (SELECT array_agg(noticed)::text FROM noticed)"""

# A row of it cannot be restored while somebody has the lock.
_SLOW = """
    CREATE FUNCTION locked(what text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN what; END $$;
    CREATE TABLE slow (what text, held text GENERATED ALWAYS AS (locked(what)) STORED);
    INSERT INTO slow VALUES ('first')
"""
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = $1"


@pytest.fixture
async def database(cloned_database: ClonedDatabase) -> asyncpg.Connection:
    connection = await cloned_database.connect()
    await connection.execute(_SCHEMA)
    return connection


@pytest.fixture
def endpoint(cloned_database: ClonedDatabase, postgres_endpoint: Endpoint) -> Endpoint:
    """A service whose own database is the test's."""
    return dataclasses.replace(postgres_endpoint, database=cloned_database.name, url=cloned_database.url)


@pytest.fixture
async def servers(database: asyncpg.Connection, endpoint: Endpoint) -> AsyncIterator[ServersDatabase]:
    """The test's own database, in the place of the one that servers would use; not begun."""
    made = ServersDatabase(endpoint)
    yield made
    await made.close()


@pytest.fixture
async def snapshot(servers: ServersDatabase) -> ServersDatabase:
    await servers.begin()
    return servers


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users (email) VALUES ('alan@example.com')",
        "UPDATE users SET email = 'x' || email WHERE id = 1",
        "DELETE FROM users WHERE id = 2",
        "DELETE FROM users; INSERT INTO users (id, email) VALUES (1, 'ada@example.com')",
        """INSERT INTO app."Orders of all" (user_id) VALUES (1)""",
        "UPDATE parts SET amount = 8",
        "INSERT INTO parts VALUES ('2002-02-02', 1)",
        "INSERT INTO fast VALUES ('new')",
        "UPDATE fast SET what = 'other'",
        "SELECT lo_put(4242, 1, 'changed'), lo_create(4243)",
        "SELECT lo_unlink(4242)",
    ],
)
async def test_rows_come_back_and_others_stay_where_they_are(
    database: asyncpg.Connection, snapshot: ServersDatabase, statement: str
) -> None:
    before, places = await database.fetchrow(_CONTENT), await database.fetch(_PLACES)
    await database.execute(statement)
    assert await database.fetchrow(_CONTENT) != before
    untouched = set(places) & set(await database.fetch(_PLACES))

    await snapshot.restore()
    assert await database.fetchrow(_CONTENT) == before
    assert untouched <= set(await database.fetch(_PLACES))
    assert await snapshot.restore() == []


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE users CASCADE",
        "TRUNCATE users RESTART IDENTITY CASCADE; INSERT INTO users (email) VALUES ('alan@example.com')",
        "TRUNCATE fast, parts",
        "VACUUM FULL users",
        "REINDEX TABLE users",
        "DELETE FROM users; CLUSTER users USING users_pkey",
        "REFRESH MATERIALIZED VIEW amounts",
        "UPDATE parts SET amount = 8; REFRESH MATERIALIZED VIEW amounts",
        "ANALYZE",
    ],
)
async def test_relations_that_get_another_file_come_back(
    database: asyncpg.Connection, snapshot: ServersDatabase, statement: str
) -> None:
    before = await database.fetchrow(_CONTENT)
    for _ in range(2):
        for each in statement.split("; "):
            await database.execute(each)
        await database.execute("INSERT INTO users (email) VALUES ('last@example.com')")
        await snapshot.restore()
        assert await database.fetchrow(_CONTENT) == before


async def test_sequences_come_back_so_that_ids_repeat(database: asyncpg.Connection, snapshot: ServersDatabase) -> None:
    for _ in range(2):
        assert await database.fetchval("INSERT INTO users (email) VALUES ('alan@example.com') RETURNING id") == 3
        assert await database.fetchval("""INSERT INTO app."Orders of all" (user_id) VALUES (3) RETURNING id""") == 1
        await snapshot.restore()
    await database.execute("SELECT nextval('users_id_seq')")
    await snapshot.restore()
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 3


@pytest.mark.parametrize("is_called", [False, True])
async def test_a_sequence_that_was_set_and_not_yet_called_comes_back(
    database: asyncpg.Connection, servers: ServersDatabase, is_called: bool
) -> None:
    await database.execute(f"SELECT setval('users_id_seq', 500, {is_called})")
    await servers.begin()
    snapshot = servers
    for _ in range(2):
        assert await database.fetchval("SELECT nextval('users_id_seq')") == 500 + is_called
        await snapshot.restore()
    await database.execute("SELECT setval('users_id_seq', 700, false)")
    await snapshot.restore()
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 500 + is_called


@pytest.mark.parametrize("when", ["ALWAYS", "REPLICA"])
async def test_triggers_and_rules_that_fire_for_replicas_do_not_fire_for_the_way_back(
    database: asyncpg.Connection, servers: ServersDatabase, when: str
) -> None:
    await database.execute(f"""
        CREATE RULE "note it" AS ON DELETE TO parts_old DO ALSO INSERT INTO noticed VALUES ('rule');
        ALTER TABLE users ENABLE {when} TRIGGER notice;
        ALTER TABLE parts_old ENABLE {when} RULE "note it";
    """)
    await servers.begin()
    snapshot = servers
    before = await database.fetchrow(_CONTENT)
    await database.execute("INSERT INTO users (email) VALUES ('alan@example.com'); UPDATE parts SET amount = 8")
    await snapshot.restore()
    assert await database.fetchrow(_CONTENT) == before
    modes = await database.fetch("""SELECT tgenabled FROM pg_trigger WHERE tgname = 'notice'
        UNION ALL SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'note it'""")
    assert [mode[0] for mode in modes] == [when[0].encode()] * 2


async def test_what_was_rolled_back_changes_nothing(database: asyncpg.Connection, snapshot: ServersDatabase) -> None:
    before = await database.fetchrow(_CONTENT)
    transaction = database.transaction()
    await transaction.start()
    await database.execute("DELETE FROM users")
    await transaction.rollback()
    await snapshot.restore()
    assert await database.fetchrow(_CONTENT) == before


async def test_other_connections_stay_and_see_the_restored_rows(
    database: asyncpg.Connection, snapshot: ServersDatabase, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    await server.execute("INSERT INTO users (email) VALUES ('alan@example.com')")
    await snapshot.restore()
    assert await server.fetchval("SELECT count(*) FROM users") == 2


async def test_a_transaction_that_ends_soon_is_waited_for(
    database: asyncpg.Connection, snapshot: ServersDatabase, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    transaction = server.transaction()
    await transaction.start()
    await server.execute("INSERT INTO users (email) VALUES ('alan@example.com')")
    restoring = asyncio.create_task(snapshot.restore())
    async with asyncio.timeout(_DEADLINE_S):
        while await server.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%backend_xid%'") == 0:
            await asyncio.sleep(0)
    assert not restoring.done()
    await transaction.commit()
    assert sorted(await restoring) == ["public.noticed", "public.users"]


async def test_a_statement_that_runs_and_has_not_written_yet_is_waited_for(
    database: asyncpg.Connection, snapshot: ServersDatabase, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    statement = "INSERT INTO noticed SELECT 'late' FROM pg_sleep(0.2)"
    running = asyncio.create_task(server.execute(statement))
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1"
    async with asyncio.timeout(_DEADLINE_S):
        while await database.fetchval(active, statement) == 0:
            await asyncio.sleep(0)
    assert await snapshot.restore() == ["public.noticed"]
    await running
    assert await database.fetchval("SELECT count(*) FROM noticed") == 1


async def test_a_statement_that_only_waits_is_no_error(
    database: asyncpg.Connection,
    snapshot: ServersDatabase,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quiet, "_STATEMENT_TIMEOUT_S", 0.1)
    server = await cloned_database.connect()
    running = asyncio.create_task(server.execute("SELECT pg_sleep(600)"))
    async with asyncio.timeout(_DEADLINE_S):
        while not await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'"):
            await asyncio.sleep(0)
    assert await snapshot.restore() == []
    assert not running.done()
    server.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await running


async def test_a_transaction_that_stays_open_is_an_error_that_shows_it(
    database: asyncpg.Connection,
    snapshot: ServersDatabase,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quiet, "_QUIET_TIMEOUT_S", 0.2)
    server = await cloned_database.connect(server_settings={"application_name": "backend"})
    transaction = server.transaction()
    await transaction.start()
    await server.execute("INSERT INTO users (email) VALUES ('late@example.com')")
    with pytest.raises(IsolationError, match=r"process \d+ 'backend': INSERT INTO users .*'late@example.com'"):
        await snapshot.restore()


async def test_what_a_server_commits_while_rows_are_restored_is_found_the_next_time(
    database: asyncpg.Connection, servers: ServersDatabase, cloned_database: ClonedDatabase
) -> None:
    await database.execute(_SLOW)
    await servers.begin()
    server = await cloned_database.connect()
    await database.execute("DELETE FROM slow")
    await database.execute("SELECT pg_advisory_lock(42)")
    restoring = asyncio.create_task(servers.restore())
    async with asyncio.timeout(_DEADLINE_S):
        while not await database.fetchval(_WAITING, "advisory"):
            await asyncio.sleep(0)
    await database.execute("INSERT INTO noticed VALUES ('in another table'); INSERT INTO users (email) VALUES ('x')")
    writing = asyncio.create_task(server.execute("DELETE FROM slow"))
    async with asyncio.timeout(_DEADLINE_S):
        while not await database.fetchval(_WAITING, "relation"):
            await asyncio.sleep(0)
    await database.execute("SELECT pg_advisory_unlock(42)")
    assert await restoring == ["public.slow"]
    await writing
    assert await database.fetchval("SELECT count(*) FROM noticed") == 3
    assert await database.fetchval("SELECT count(*) FROM slow") == 0

    assert await servers.restore() == ["public.noticed", "public.slow", "public.users"]
    assert await database.fetchval("SELECT count(*) FROM noticed") == 1
    assert await database.fetchval("SELECT count(*) FROM users") == 2
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 3
    assert await database.fetchval("SELECT what FROM slow") == "first"


async def test_a_restoring_that_was_cut_off_is_begun_again(
    database: asyncpg.Connection, servers: ServersDatabase
) -> None:
    await database.execute(_SLOW)
    before = await database.fetchrow(_CONTENT)
    await servers.begin()
    await database.execute("DELETE FROM users; DELETE FROM slow")
    await database.execute("SELECT pg_advisory_lock(42)")
    restoring = asyncio.create_task(servers.restore())
    async with asyncio.timeout(_DEADLINE_S):
        while not await database.fetchval(_WAITING, "advisory"):
            await asyncio.sleep(0)
    await database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
    await database.execute("SELECT pg_advisory_unlock(42)")
    await restoring
    for _ in range(2):
        assert await database.fetchrow(_CONTENT) == before
        assert await database.fetchval("SELECT what FROM slow") == "first"
        await database.execute("UPDATE users SET email = 'y' || email; DELETE FROM slow")
        await servers.restore()
    assert await database.fetchrow(_CONTENT) == before


async def test_a_transaction_that_stays_open_ends_with_the_test_that_caused_it(
    database: asyncpg.Connection,
    snapshot: ServersDatabase,
    cloned_database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quiet, "_QUIET_TIMEOUT_S", 0.2)
    before = await database.fetchrow(_CONTENT)
    server = await cloned_database.connect()
    await server.execute("BEGIN; INSERT INTO users (email) VALUES ('late@example.com')")
    with pytest.raises(IsolationError, match="It has been ended, and the connection with it"):
        await snapshot.restore()
    assert await database.fetchrow(_CONTENT) == before
    assert await database.fetchval("SELECT nextval('users_id_seq')") == 3
    await snapshot.restore()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TABLE extra (id int)", "made public.extra"),
        ("DROP TABLE noticed CASCADE", "dropped public.noticed"),
        ("ALTER TABLE users ADD COLUMN age int", "changed public.users"),
        ("CREATE INDEX by_email ON users (email)", "made public.by_email"),
        ("CREATE SEQUENCE extra", "made public.extra, sequence public.extra"),
        ("ALTER SEQUENCE users_id_seq INCREMENT 7", "changed sequence public.users_id_seq"),
        ("ALTER TYPE mood ADD VALUE 'sad'", "changed type public.mood"),
        ("ALTER TABLE users ALTER email SET DEFAULT 'x'", "made default of public.users.email"),
        ("ALTER TABLE users ALTER email SET NOT NULL", "changed public.users"),
        ("ALTER TABLE users ENABLE ROW LEVEL SECURITY", "changed public.users"),
        ("GRANT SELECT ON users TO PUBLIC", "changed public.users"),
        (
            "ALTER TABLE users ADD CONSTRAINT short CHECK (length(email) < 9) NOT VALID",
            "made constraint short on public.users",
        ),
        ("ALTER TABLE users DISABLE TRIGGER notice", "changed trigger notice on public.users"),
        ("CREATE RULE keep AS ON DELETE TO users DO INSTEAD NOTHING", "made rule keep on public.users"),
        ("CREATE OR REPLACE VIEW names AS SELECT 'none'::text AS email", r'changed rule "_RETURN" on public.names'),
        ("CREATE POLICY mine ON users", "made policy mine on public.users"),
        ("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1", r"made function public.one\(\)"),
        (
            "CREATE OR REPLACE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            r"changed function public.notice\(\)",
        ),
        ("CREATE EXTENSION pg_trgm", "made extension pg_trgm"),
    ],
)
async def test_a_changed_schema_is_an_error_that_names_it(
    database: asyncpg.Connection, snapshot: ServersDatabase, statement: str, words: str
) -> None:
    await database.execute(statement)
    with pytest.raises(IsolationBrokenError, match=words):
        await snapshot.restore()


async def test_what_is_temporary_is_no_change_of_the_schema(
    database: asyncpg.Connection, snapshot: ServersDatabase, cloned_database: ClonedDatabase
) -> None:
    server = await cloned_database.connect()
    await server.execute("""CREATE TEMP TABLE own (id serial PRIMARY KEY, mood mood CHECK (mood <> 'glad'));
        CREATE TRIGGER notice AFTER INSERT ON own FOR EACH STATEMENT EXECUTE FUNCTION notice();
        CREATE TEMP VIEW mine AS SELECT * FROM own""")
    assert await snapshot.restore() == []


async def test_a_database_without_tables_is_fine(cloned_database: ClonedDatabase, postgres_endpoint: Endpoint) -> None:
    servers = ServersDatabase(dataclasses.replace(postgres_endpoint, database=cloned_database.name))
    await servers.begin()
    assert await servers.restore() == []
    await servers.close()


async def test_a_view_that_a_refresh_does_not_bring_back_is_an_error_that_names_it(
    database: asyncpg.Connection, servers: ServersDatabase
) -> None:
    await database.execute("UPDATE parts SET amount = 9")
    await servers.begin()
    await database.execute("REFRESH MATERIALIZED VIEW amounts")
    with pytest.raises(IsolationBrokenError, match=r"has refreshed materialized view public\.amounts .* Refresh it in"):
        await servers.restore()


@pytest.fixture
async def no_log(postgres_endpoint: Endpoint) -> AsyncIterator[None]:
    """A server like one before PostgreSQL 16, which cannot be asked for its log."""
    administration = Administration(postgres_endpoint)
    await administration.execute("DROP EXTENSION pg_walinspect")
    yield
    await administration.execute("CREATE EXTENSION pg_walinspect")
    await administration.close(finish=True)


_STATEMENTS = """
    INSERT INTO users (email) VALUES ('alan@example.com'); UPDATE parts SET amount = 8; DELETE FROM fast;
    SELECT lo_put(4242, 1, 'changed'), lo_create(4243), nextval('app."Orders of all_id_seq"')
"""


@pytest.mark.parametrize(
    "statements", [_STATEMENTS, "TRUNCATE users CASCADE", "REFRESH MATERIALIZED VIEW amounts", "SELECT"]
)
@pytest.mark.usefixtures("no_log")
async def test_where_there_is_no_log_every_table_is_looked_at(
    database: asyncpg.Connection, snapshot: ServersDatabase, statements: str
) -> None:
    before = await database.fetchrow(_CONTENT)
    for _ in range(2):
        await database.execute(statements)
        await snapshot.restore()
        assert await database.fetchrow(_CONTENT) == before
        assert await snapshot.restore() == []
    await database.execute("ALTER TABLE users ADD COLUMN age int")
    with pytest.raises(IsolationBrokenError, match=r"changed public\.users"):
        await snapshot.restore()


async def test_a_log_that_does_not_reach_back_is_not_missed(
    database: asyncpg.Connection, snapshot: ServersDatabase
) -> None:
    before = await database.fetchrow(_CONTENT)
    await database.execute(_STATEMENTS)
    # More files than the server keeps.
    for _ in range(40):
        await database.execute("SELECT pg_logical_emit_message(true, '', 'x'), pg_switch_wal()")
    await database.execute("CHECKPOINT")
    await snapshot.restore()
    assert await database.fetchrow(_CONTENT) == before
    await database.execute(_STATEMENTS)
    assert len(await snapshot.restore()) == 6
    assert await database.fetchrow(_CONTENT) == before


async def test_two_processes_have_the_database_in_turns(
    database: asyncpg.Connection, snapshot: ServersDatabase, endpoint: Endpoint
) -> None:
    before = await database.fetchrow(_CONTENT)
    other = ServersDatabase(endpoint)
    await other.begin()
    for process in (snapshot, other, other, snapshot):
        await process.resume()
        await database.execute(_STATEMENTS)
        await process.restore()
        assert await database.fetchrow(_CONTENT) == before
    await snapshot.replace()
    again = await asyncpg.connect(endpoint.url)
    await other.resume()
    await again.execute("CREATE TABLE surprise (id int)")
    with pytest.raises(IsolationBrokenError, match=r"made public\.surprise\. "):
        await other.restore()
    await again.close()
    await other.close()


async def test_what_servers_do_to_the_whole_server_is_undone(
    database: asyncpg.Connection, snapshot: ServersDatabase, endpoint: Endpoint
) -> None:
    await database.execute("CREATE ROLE left_by_test; INSERT INTO noticed VALUES ('also')")
    await snapshot.restore()
    assert await database.fetchval("SELECT to_regrole('left_by_test')") is None
    await database.execute("CREATE ROLE left_by_test; GRANT SELECT ON users TO left_by_test")
    with pytest.raises(IsolationBrokenError, match=r"changed public\.users"):
        await snapshot.restore()
    await snapshot.replace()
    again = await asyncpg.connect(endpoint.url)
    assert await again.fetchval("SELECT to_regrole('left_by_test')") is None
    await again.close()


async def test_what_is_left_in_the_server_is_named(
    database: asyncpg.Connection, servers: ServersDatabase, postgres_endpoint: Endpoint
) -> None:
    administration = Administration(postgres_endpoint)
    await administration.execute("CREATE DATABASE of_somebody")
    await servers.begin()
    await database.execute("INSERT INTO noticed VALUES ('one')")
    await administration.execute("DROP DATABASE of_somebody")
    words = r"left in service '\w+' .*: database 'of_somebody' \(removed\)\. That could not be undone\. Undo it"
    with pytest.raises(IsolationError, match=words):
        await servers.restore()
    assert await database.fetchval("SELECT count(*) FROM noticed") == 1
    await servers.restore()
    await administration.close(finish=True)


async def test_the_server_is_restored_when_no_other_process_uses_it(
    database: asyncpg.Connection, endpoint: Endpoint, tmp_path: Path
) -> None:
    turns = ServerTurns(f"{tmp_path}/{endpoint.name}")
    servers = ServersDatabase(endpoint, str(tmp_path))
    await servers.begin()
    await turns.begin_test()
    await database.execute("CREATE ROLE left_by_test")
    await servers.restore()
    assert await database.fetchval("SELECT to_regrole('left_by_test')") is not None
    turns.end_test()
    await servers.restore()
    assert await database.fetchval("SELECT to_regrole('left_by_test')") is None
    turns.close()
    await servers.close()


async def test_a_database_made_anew_is_none_that_a_test_has_left(
    postgres_endpoint: Endpoint, cloned_database: ClonedDatabase
) -> None:
    administration = Administration(postgres_endpoint)
    await administration.execute("CREATE DATABASE of_servers")
    try:
        await administration.execute("ALTER DATABASE of_servers SET work_mem = '7MB'")
        state = ClusterState(administration)
        await state.take(PRISTINE_DATABASE)
        await administration.execute("DROP DATABASE of_servers")
        await administration.execute("CREATE DATABASE of_servers")
        await administration.execute("CREATE ROLE left_by_test")
        assert await state.restore(None) == []
        ((setting,),) = await administration.fetch(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = $1",
            "of_servers",
        )
        assert setting == ["work_mem=7MB"]
    finally:
        await administration.execute("DROP DATABASE of_servers")
        await administration.close(finish=True)
