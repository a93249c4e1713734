"""What a schema does without a word of it in a statement is read from the server's catalogs."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import pytest

from realservices.kinds.postgres.isolation.needs import needs_of
from realservices.kinds.postgres.isolation.traits import Trait, Traits, traits_of
from realservices.kinds.postgres.traits_query import traits_query
from tests.isolation.postgres.ways import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_AT = "CREATE FUNCTION at() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()';"
_AT_OF = "CREATE FUNCTION at_of(int) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS 'SELECT now()';"
_OPERATOR = _AT_OF + "CREATE OPERATOR !@ (RIGHTARG = int, FUNCTION = at_of);"
_CAST = """CREATE TYPE stamp AS (a int);
    CREATE FUNCTION of_stamp(stamp) RETURNS timestamptz LANGUAGE sql AS 'SELECT now()';
    CREATE CAST (stamp AS timestamptz) WITH FUNCTION of_stamp(stamp);"""
_AGGREGATE = """CREATE FUNCTION step(timestamptz, int) RETURNS timestamptz LANGUAGE sql AS 'SELECT now()';
    CREATE AGGREGATE latest (int) (SFUNC = step, STYPE = timestamptz);"""
_TABLE = "CREATE TABLE t (a int, at timestamptz);"
_STAMP = """CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp();"""
_EVENT = """CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM now(); END';
    CREATE EVENT TRIGGER noted ON ddl_command_start EXECUTE FUNCTION noted();"""

_MODDATETIME = "CREATE EXTENSION moddatetime;" + _TABLE

_READS_CLOCK = [
    (_OPERATOR, "SELECT !@ 1"),
    (_OPERATOR + "CREATE FUNCTION f() RETURNS timestamptz LANGUAGE sql AS 'SELECT !@ 1'", "SELECT f()"),
    (_CAST, "SELECT ROW(1)::stamp::timestamptz"),
    (_AGGREGATE, "SELECT latest(1)"),
    (_AGGREGATE + "CREATE VIEW v AS SELECT latest(1)", "SELECT * FROM v"),
    ("CREATE DOMAIN at AS timestamptz DEFAULT now(); CREATE TABLE t (a int, at at)", "INSERT INTO t VALUES (1)"),
    (_AT + "CREATE DOMAIN d AS timestamptz DEFAULT at(); CREATE TABLE t (b d)", "INSERT INTO t DEFAULT VALUES"),
    ("CREATE DOMAIN past AS timestamptz CHECK (VALUE <= now())", "SELECT $1::past"),
    (_AT + "CREATE DOMAIN past AS timestamptz CHECK (VALUE <= at())", "SELECT take($1)"),
    (_AT + "CREATE TABLE t (b timestamptz DEFAULT at())", "INSERT INTO t DEFAULT VALUES"),
    (_AT + "CREATE TABLE t (b timestamptz CHECK (b <= at()))", "UPDATE t SET b = $1"),
    (_AT_OF + "CREATE TABLE t (a int, b timestamptz GENERATED ALWAYS AS (at_of(a)) STORED)", "UPDATE t SET a = 1"),
    (_AT_OF + _TABLE + "CREATE INDEX ON t (at_of(a))", "UPDATE t SET a = 1"),
    (_AT_OF + "CREATE TABLE t (a int) PARTITION BY LIST (at_of(a))", "UPDATE t SET a = 1"),
    ("CREATE FUNCTION f(x timestamptz DEFAULT now()) RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT f()"),
    (_AT + "CREATE FUNCTION f(x timestamptz DEFAULT at()) RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT f()"),
    (_TABLE + _STAMP + "CREATE FUNCTION add() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (1)'", "SELECT add()"),
    (_TABLE + """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.at < now()) EXECUTE FUNCTION f()""", "UPDATE t SET a = 1"),
    (_TABLE + "CREATE POLICY p ON t USING (at > now())", "SELECT a FROM t"),
    (_TABLE + "CREATE POLICY p ON t WITH CHECK (at <= CURRENT_TIMESTAMP)", "INSERT INTO t VALUES (1)"),
    (_AT + _TABLE + "CREATE POLICY p ON t USING (at > at()); CREATE VIEW v AS SELECT 1 FROM t; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
     "SELECT * FROM v"),
    (_AT + "CREATE VIEW v AS SELECT at(); CREATE FUNCTION f() RETURNS timestamptz LANGUAGE sql AS 'TABLE v'", "SELECT f()"),
    (_TABLE + "CREATE RULE r AS ON UPDATE TO t DO ALSO INSERT INTO t VALUES (1, now())", "UPDATE t SET a = 1"),
    ("CREATE TABLE t (a int, at date DEFAULT ('now'::text)::date)", "INSERT INTO t VALUES (1)"),
    ("CREATE VIEW v AS SELECT ('yesterday'::text)::date", "SELECT * FROM v"),
    (_AT.replace("at()", '"At Once"()'), 'SELECT "At Once"()'),
    (_AT.replace("now()", '"now"()'), "SELECT at()"),
    (
        _MODDATETIME + "CREATE TRIGGER m BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moddatetime(at)",
        "UPDATE t SET a = 1",
    ),
    (_MODDATETIME, "CREATE TRIGGER m BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moddatetime(at)"),
    (_EVENT, "CREATE TABLE u ()"),
    (_EVENT, "COMMENT ON TABLE t IS ''"),
    (_EVENT, "GRANT SELECT ON t TO PUBLIC"),
    (_EVENT, "SELECT 1 AS a INTO u"),
]  # fmt: skip
_DOES_NOT = [
    (_TABLE + "CREATE POLICY p ON t USING (current_user = 'app')", "SELECT a FROM t"),
    (_TABLE.replace("(a int,", "(a int DEFAULT 1, owner text DEFAULT CURRENT_USER,"), "INSERT INTO t VALUES (1)"),
    (_AGGREGATE, "SELECT max(a) FROM t"),
    (_AT + "CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT at()", "SELECT * FROM v"),
    (_TABLE + _STAMP, "SELECT a FROM t"),
    (_EVENT, "UPDATE t SET a = 1"),
    (_MODDATETIME, "UPDATE t SET a = 1"),
    (_OPERATOR.replace("now()", "clock_timestamp()"), "SELECT !@ 1"),
    ("CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm", "SELECT 1"),
]
_TELL = "CREATE FUNCTION tell(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT pg_notify(''a'', '''') IS NULL';"
_HANGS = [
    (_TELL + "CREATE OPERATOR !@ (RIGHTARG = int, FUNCTION = tell)", "SELECT !@ 1"),
    (_TELL + "CREATE TABLE t (a int CHECK (tell(a)))", "UPDATE t SET a = 1"),
    (_TELL + _TABLE + "CREATE POLICY p ON t USING (tell(a))", "SELECT a FROM t"),
    ("CREATE TABLE t (a int, by xid8 DEFAULT pg_current_xact_id())", "INSERT INTO t VALUES (1)"),
    ("CREATE VIEW v AS SELECT mode FROM pg_locks", "SELECT * FROM v"),
    (_TABLE + "CREATE RULE r AS ON UPDATE TO t DO ALSO NOTIFY news", "UPDATE t SET a = 1"),
]
_ADD = "CREATE TABLE t (a int); CREATE FUNCTION add(int) RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES ($1) RETURNING a';"
_WRITES = [
    (_ADD + "CREATE OPERATOR !@ (RIGHTARG = int, FUNCTION = add)", "SELECT !@ 1"),
    (_ADD + "CREATE DOMAIN d AS int CHECK (add(VALUE) > 0)", "SELECT 1::d"),
    (_ADD + "CREATE FUNCTION f(a int DEFAULT add(1)) RETURNS int LANGUAGE sql AS 'SELECT a'", "SELECT f()"),
]


@pytest.fixture
async def connection(cloned_database: Any) -> AsyncIterator[asyncpg.Connection]:
    """One on which nothing is committed."""
    connection = await cloned_database.connect()
    await connection.execute("BEGIN")
    yield connection
    await connection.execute("ROLLBACK")


async def _traits(connection: asyncpg.Connection, endpoint: Endpoint, schema: str) -> Traits:
    await connection.execute(schema)
    return traits_of(await connection.fetchval(traits_query(endpoint.server_version_num)))


@pytest.mark.parametrize(
    ("trait", "schema", "sql", "expected"),
    [
        (trait, *case, expected)
        for trait, cases, expected in (
            ("clock", _READS_CLOCK, True),
            ("clock", _DOES_NOT, False),
            ("hanging", _HANGS, True),
            ("writing", _WRITES, True),
            ("hanging", _DOES_NOT, False),
        )
        for case in cases
    ],
)
async def test_trait(
    connection: asyncpg.Connection, postgres_endpoint: Endpoint, trait: str, schema: str, sql: str, expected: bool
) -> None:
    found: Trait = operator.attrgetter(trait)(await _traits(connection, postgres_endpoint, schema))
    assert found.is_in(sql, needs_of(sql)) is expected


_TWICE = "INSERT INTO seen SELECT {}", "SELECT pg_sleep(0.002)", "INSERT INTO seen SELECT {}"
_IN_TRANSACTION = "BEGIN", "{}", "COMMIT"


@pytest.mark.parametrize(
    ("schema", "done", "statements", "answer"),
    [
        (_OPERATOR, "!@ 1", _TWICE, "SELECT count(DISTINCT at) = 2 FROM seen"),
        (_CAST, "ROW(1)::stamp::timestamptz", _TWICE, "SELECT count(DISTINCT at) = 2 FROM seen"),
        (_AGGREGATE, "latest(1)", _TWICE, "SELECT count(DISTINCT at) = 2 FROM seen"),
        (
            "CREATE FUNCTION local(int) RETURNS text LANGUAGE sql AS 'SELECT set_config(''app.a'', $1::text, true)';"
            "CREATE OPERATOR !@ (RIGHTARG = int, FUNCTION = local)",
            "SELECT !@ 5",
            _IN_TRANSACTION,
            "SELECT current_setting('app.a', true) = ''",
        ),
    ],
)
@pytest.mark.parametrize("way", ["plain", "database", "transaction"])
async def test_behaviour_is_that_of_a_plain_connection(
    postgres: PostgresIsolation, way: str, schema: str, done: str, statements: tuple[str, ...], answer: str
) -> None:
    share = postgres.share("module")
    await share.connection.execute(f"CREATE TABLE seen (at timestamptz); {schema}")
    isolation = share.isolation()
    async with connected(isolation, way) as connection:
        for statement in statements:
            await connection.execute(statement.format(done))
        is_right = await connection.fetchval(answer)
    await isolation.close_loop()
    share.close()
    assert is_right
