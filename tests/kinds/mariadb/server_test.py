"""`mariadb_service` from end to end: its settings, who may log in, its addresses, a stop and a start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.control.client import BlockingServiceControl
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


def _ask(endpoint: Endpoint, statement: str) -> Any:
    with Connection((endpoint.host, endpoint.port), endpoint.user, endpoint.password) as connection:
        return connection.run(statement)


def test_it_has_its_settings(endpoint: Endpoint) -> None:
    assert _ask(endpoint, "SELECT @@max_connections, @@sort_buffer_size") == [("77", "65536")]
    assert _ask(endpoint, "SELECT @@character_set_server, @@innodb_flush_log_at_trx_commit") == [("utf8mb4", "0")]


def test_only_its_own_account_is_there_and_has_a_password(endpoint: Endpoint) -> None:
    found = _ask(endpoint, "SELECT user, JSON_VALUE(priv, '$.account_locked') FROM mysql.global_priv ORDER BY user")
    assert found == [("mariadb.sys", "1"), ("reader", None), (endpoint.user, None)]
    for user, password in ((endpoint.user, ""), (endpoint.user, "wrong"), ("root", ""), ("", "")):
        for address in ((endpoint.host, endpoint.port), endpoint.socket):
            with pytest.raises(MariaDBRefusal, match="ERROR 1045"):
                Connection(address, user, password)


def test_it_listens_on_loopback_only(endpoint: Endpoint) -> None:
    assert _ask(endpoint, "SELECT @@bind_address, @@port") == [("127.0.0.1", str(endpoint.port))]
    directory = os.path.dirname(endpoint.socket)
    assert os.stat(directory).st_mode & 0o77 == 0
    assert not os.path.exists(f"{directory}/init.sql")  # It held the password.


def test_the_variables(endpoint: Endpoint) -> None:
    assert os.environ["TEST_MARIADB_HOST"] == endpoint.host
    assert os.environ["TEST_MARIADB_PORT"] == str(endpoint.port)
    assert os.environ["MARIADB_URL"] == endpoint.url
    assert endpoint.url == f"mysql://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.port}/test"


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("pymysql", "mysql+pymysql://"),
        ("asyncmy", "mysql+asyncmy://"),
        ("aiomysql", "mysql+aiomysql://"),
        ("jdbc", "jdbc:mariadb://"),
    ],
)
def test_forms_of_the_url(cloned_mariadb: MariaDBDatabase, form: str, beginning: str) -> None:
    url = cloned_mariadb.url_for(form)
    assert url.startswith(beginning)
    assert cloned_mariadb.url_for(f"mysql+{form}") == url
    assert f"{cloned_mariadb.endpoint.port}/{cloned_mariadb.name}" in url


def test_the_url_is_that_of_the_clone(mariadb_url: str, cloned_mariadb: MariaDBDatabase) -> None:
    assert mariadb_url == cloned_mariadb.url


def test_large_values_and_many_rows(endpoint: Endpoint) -> None:
    large = 17 << 20  # More than a packet of the protocol holds.
    [(value, nothing, wide)] = _ask(
        endpoint, f"SET max_statement_time = 0; SELECT REPEAT('x', 300), NULL, REPEAT('y', {large >> 1})"
    )
    assert (value, nothing, len(wide)) == ("x" * 300, None, large >> 1)
    assert len(_ask(endpoint, "USE test; SELECT seq FROM seq_1_to_70000")) == 70000
    with pytest.raises((MariaDBRefusal, OSError)):
        _ask(endpoint, "SELECT '" + "z" * large + "'")


def test_a_large_row_fits_into_the_log(cloned_mariadb: MariaDBDatabase) -> None:
    with pymysql.connect(**cloned_mariadb.parameters) as client, client.cursor() as cursor:
        cursor.execute("CREATE TABLE wide (content LONGBLOB)")
        for _ in range(3):
            cursor.execute("INSERT INTO wide VALUES (REPEAT('x', 12000000))")
        client.commit()
        cursor.execute("SELECT SUM(LENGTH(content)) FROM wide")
        assert cursor.fetchone() == (36000000,)


def test_data_outlive_a_stop_and_a_start(service_control_sync: BlockingServiceControl, endpoint: Endpoint) -> None:
    _ask(endpoint, "CREATE TABLE test.kept AS SELECT 5 AS x")
    service_control_sync.stop(endpoint.name)
    with pytest.raises(ConnectionRefusedError):
        _ask(endpoint, "SELECT 1")
    service_control_sync.start(endpoint.name)
    assert _ask(endpoint, "SELECT x FROM test.kept; ") == [("5",)]
    _ask(endpoint, "DROP TABLE test.kept")
