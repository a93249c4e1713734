"""What a test leaves in the whole server is gone after it; what was there before it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.mariadb.isolation import prepared_transactions
from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation
from realservices.kinds.mariadb.isolation.server_objects import server_objects, variables
from realservices.kinds.mariadb.wire import Connection
from tests.kinds.mariadb.content import content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint


@pytest.fixture
def server(endpoint: Endpoint) -> Iterator[Connection]:
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as connection:
        yield connection


@pytest.fixture
def process(endpoint: Endpoint, tmp_path: Path) -> Iterator[Callable[[], MariaDBIsolation]]:
    """One process of a session after another."""
    (tmp_path / "x.own").mkdir()
    made: list[MariaDBIsolation] = []

    def new() -> MariaDBIsolation:
        made.append(MariaDBIsolation(endpoint, str(tmp_path / "x.own"), is_tests_own=True))
        return made[-1]

    yield new
    for isolation in made:
        isolation.close(drop=True)


_LEFT = [
    "CREATE DATABASE mine; CREATE TABLE mine.t (x INT)",
    "CREATE USER mine IDENTIFIED BY 'x'; GRANT ALL ON *.* TO mine",
    "DROP USER reader",
    "SET PASSWORD FOR reader = PASSWORD('other')",
    "REVOKE SELECT ON test.* FROM reader",
    "CREATE ROLE mine; GRANT mine TO reader",
    "SET GLOBAL sql_mode = 'ANSI'; SET GLOBAL max_connections = 55; SET GLOBAL event_scheduler = ON",
    "CREATE SERVER mine FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')",
]


@pytest.mark.parametrize("left", [*_LEFT, "; ".join(_LEFT[:2] + _LEFT[3:])])
def test_it_is_undone(server: Connection, process: Callable[[], MariaDBIsolation], left: str) -> None:
    isolation = process()
    original = variables(server)
    before = server_objects(server, original)
    for _ in range(2):
        with isolation.database() as database:
            server.run(left)
            assert server_objects(server, original) != before
        assert server.run(f"SELECT * FROM mysql.db WHERE Db LIKE '%{database.name[-10:]}'") == []
        assert server_objects(server, original) == before
        assert variables(server) == original


def test_the_services_database_is_made_anew(
    server: Connection, process: Callable[[], MariaDBIsolation], endpoint: Endpoint
) -> None:
    before = content(server, str(endpoint.database))
    with process().database():
        server.run(f"DROP DATABASE {endpoint.database}")
    assert content(server, str(endpoint.database)) == before


def test_what_comes_between_two_tests_stays(server: Connection, process: Callable[[], MariaDBIsolation]) -> None:
    isolation = process()
    with isolation.database():
        pass
    server.run("CREATE DATABASE wider; SET GLOBAL max_connections = 66")
    try:
        with isolation.database():
            server.run("SET GLOBAL max_connections = 44; CREATE DATABASE mine")
        assert server.run("SELECT @@GLOBAL.max_connections") == [("66",)]
        assert server.run("SHOW DATABASES LIKE 'wider'") == [("wider",)]
        assert server.run("SHOW DATABASES LIKE 'mine'") == []
    finally:
        server.run("DROP DATABASE wider; SET GLOBAL max_connections = 77")


def test_what_goes_between_two_tests_does_not_come_again(
    server: Connection, process: Callable[[], MariaDBIsolation]
) -> None:
    isolation = process()
    with isolation.database():
        pass
    server.run("CREATE DATABASE wider; SET GLOBAL max_connections = 66; CREATE USER wider")
    with isolation.database():
        pass
    server.run("DROP DATABASE wider; SET GLOBAL max_connections = 77; DROP USER wider")
    with isolation.database():
        server.run("CREATE DATABASE mine")
    assert server.run("SELECT @@GLOBAL.max_connections") == [("77",)]
    assert server.run("SHOW DATABASES LIKE 'wider'") == server.run("SHOW DATABASES LIKE 'mine'") == []
    assert server.run("SELECT user FROM mysql.global_priv WHERE user = 'wider'") == []


def test_what_comes_before_the_first_test_of_a_second_process_stays(
    server: Connection, process: Callable[[], MariaDBIsolation]
) -> None:
    with process().database():
        pass
    server.run("CREATE DATABASE wider")
    with process().database():
        pass
    assert server.run("SHOW DATABASES LIKE 'wider'") == [("wider",)]
    server.run("DROP DATABASE wider")


def test_nothing_is_undone_while_another_process_has_a_test(
    server: Connection, process: Callable[[], MariaDBIsolation]
) -> None:
    first, second = process(), process()
    with first.database():
        with second.database():
            server.run("CREATE DATABASE mine")
        assert server.run("SHOW DATABASES LIKE 'mine'") == [("mine",)]
    assert server.run("SHOW DATABASES LIKE 'mine'") == []


_PREPARE = "XA START 'left'; INSERT INTO log (what) VALUES ('x'); XA END 'left'; XA PREPARE 'left'"


def test_prepared_transactions(server: Connection, process: Callable[[], MariaDBIsolation], endpoint: Endpoint) -> None:
    isolation = process()
    for is_open in (False, True):
        with isolation.database() as database:
            client = Connection(endpoint.socket, endpoint.user, endpoint.password, database.name)
            client.run(_PREPARE)
            if not is_open:
                client.close()
        client.close()
        assert server.run("XA RECOVER") == []
        assert server.run(f"SHOW DATABASES LIKE '{database.name}'") == []


def test_a_prepared_transaction_whose_connection_goes_on(
    server: Connection,
    process: Callable[[], MariaDBIsolation],
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prepared_transactions, "_LOCK_WAIT_S", 0)
    isolation = process()
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as client:
        message = "Unknown XID: 'left', which a test has prepared on a connection that it must close"
        with pytest.raises(IsolationError, match=message), isolation.database() as database:
            client.run(f"USE {database.name}; {_PREPARE}; USE mysql")
    monkeypatch.undo()
    with isolation.database():
        pass
    assert server.run("XA RECOVER") == []


def test_prepared_transactions_elsewhere(
    server: Connection, process: Callable[[], MariaDBIsolation], endpoint: Endpoint
) -> None:
    with process().database(), Connection(endpoint.socket, endpoint.user, endpoint.password) as client:
        client.run(f"CREATE DATABASE mine; CREATE TABLE mine.log (what TEXT); USE mine; {_PREPARE}")
    assert server.run("XA RECOVER") == server.run("SHOW DATABASES LIKE 'mine'") == []


def test_what_cannot_be_made_anew_is_told(server: Connection, process: Callable[[], MariaDBIsolation]) -> None:
    server.run("CREATE SERVER kept FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')")
    with (
        pytest.raises(IsolationBrokenError, match="a test has removed server kept from the server"),
        process().database(),
    ):
        server.run("DROP SERVER kept")
