"""A test's database is like the service's own: every object, every row, every number that comes next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pymysql
import pytest

from realservices.fixtures.pytest_session import manager_of
from realservices.kinds.mariadb.blueprint import UncopiableError, read_blueprint
from realservices.kinds.mariadb.copies import drop_copy, make_copy
from realservices.kinds.mariadb.isolated import ISOLATED
from realservices.kinds.mariadb.wire import Connection
from tests.kinds.mariadb.content import content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


@pytest.fixture
def administrator(endpoint: Endpoint) -> Iterator[Connection]:
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as connection:
        yield connection


def test_it_has_all_that_the_services_own_has(
    administrator: Connection, endpoint: Endpoint, cloned_mariadb: MariaDBDatabase
) -> None:
    copy = content(administrator, cloned_mariadb.name)
    assert copy == content(administrator, str(endpoint.database))
    # The comparison sees something of each.
    assert len(copy["rows of customers"]) == 2
    assert {key.partition(" ")[0] for key in copy} >= {"TABLE", "VIEW", "SEQUENCE", "FUNCTION", "PROCEDURE", "TRIGGER"}
    assert len(copy["mysql.db"]) == len(copy["mysql.columns_priv"]) == len(copy["mysql.procs_priv"]) == 1


@pytest.mark.parametrize("attempt", range(2))
def test_what_a_test_has_done_is_gone(
    administrator: Connection, endpoint: Endpoint, cloned_mariadb: MariaDBDatabase, attempt: int
) -> None:
    assert content(administrator, cloned_mariadb.name) == content(administrator, str(endpoint.database))
    with pymysql.connect(**cloned_mariadb.parameters, autocommit=True) as client, client.cursor() as cursor:
        cursor.execute("INSERT INTO customers (name) VALUES ('Zoe')")
        assert cursor.lastrowid == 4
        cursor.execute("INSERT INTO orders (customer, total) VALUES (1, 1)")
        cursor.execute("SELECT MAX(id) FROM orders")
        assert cursor.fetchone() == (120,)
        cursor.execute("DROP TABLE old")
        cursor.execute("ALTER TABLE parts ADD COLUMN more INT")
        cursor.execute("CREATE TABLE more (id INT)")


def test_nothing_is_left_of_a_copy(administrator: Connection, endpoint: Endpoint) -> None:
    blueprint = read_blueprint(administrator, endpoint.template_database)
    make_copy(administrator, blueprint, "realservices_lone")
    drop_copy(administrator, blueprint, "realservices_lone")
    assert administrator.run("SHOW DATABASES LIKE 'realservices_lone'") == []
    for table in ("db", "tables_priv", "columns_priv", "procs_priv"):
        assert administrator.run(f"SELECT * FROM mysql.{table} WHERE Db LIKE '%lone%'") == []


def test_a_user_of_the_migrations_reads_the_copy(cloned_mariadb: MariaDBDatabase) -> None:
    account = {"user": "reader", "password": "secret"}
    with pymysql.connect(**{**cloned_mariadb.parameters, **account}) as client, client.cursor() as cursor:
        cursor.execute("SELECT loud FROM a_first")
        assert cursor.fetchone() == ("ADA!",)
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM customers")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE TABLE kept (id INT) WITH SYSTEM VERSIONING", "table kept of database .* is system-versioned"),
        (
            "CREATE VIEW wide AS SELECT c.name, u.User FROM customers c JOIN mysql.db u",
            "view wide of database .* reads tables of several databases",
        ),
    ],
)
def test_what_cannot_be_copied_is_refused(
    administrator: Connection, cloned_mariadb: MariaDBDatabase, statement: str, reason: str
) -> None:
    administrator.run(f"USE {cloned_mariadb.name}; {statement}")
    with pytest.raises(UncopiableError, match=reason):
        read_blueprint(administrator, cloned_mariadb.name)


def test_workers_share_the_database_that_cannot_be_copied(
    request: pytest.FixtureRequest, administrator: Connection, endpoint: Endpoint, cloned_mariadb: MariaDBDatabase
) -> None:
    administrator.run(f"USE {cloned_mariadb.name}; CREATE TABLE kept (id INT) WITH SYSTEM VERSIONING")
    like_it = dataclasses.replace(endpoint, template_database=cloned_mariadb.name)
    assert ISOLATED.worker_database(manager_of(request.config), like_it, "gw0_run") == ""


def test_a_connection_that_code_has_left_does_not_keep_the_database(
    administrator: Connection, endpoint: Endpoint
) -> None:
    from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation  # noqa: PLC0415

    isolation = MariaDBIsolation(endpoint, "/tmp/x.left")
    with isolation.database() as database:
        left = pymysql.connect(**database.parameters)
        left.cursor().execute("INSERT INTO customers (name) VALUES ('Zoe')")
    assert administrator.run(f"SHOW DATABASES LIKE '{database.name}'") == []
    isolation.close(drop=True)
    left._force_close()
