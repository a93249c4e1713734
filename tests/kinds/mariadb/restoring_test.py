"""A database that programs keep open is restored in place: whatever a test has done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest

from realservices.kinds.mariadb.isolation.servers_store import MariaDBStore
from realservices.kinds.mariadb.wire import Connection
from tests.kinds.mariadb.content import content

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase

_DONE = [
    "INSERT INTO customers (name) VALUES ('Zoe')",
    "DELETE FROM customers WHERE id = 2",
    "UPDATE orders SET total = 7, note = NULL",
    "INSERT INTO orders (customer, total) VALUES (1, 1)",
    "SELECT NEXTVAL(numbers)",
    "INSERT INTO old VALUES (2, 'two'); INSERT INTO aria VALUES (1)",
    "UPDATE `odd ``name` SET `select` = X'ff'",
    "TRUNCATE parts",
    "DROP TABLE log; DROP TABLE aria",
    "ALTER TABLE customers ADD COLUMN more INT",
    "ALTER TABLE zero AUTO_INCREMENT = 50",
    "CREATE TABLE more (id INT REFERENCES customers (id)); CREATE SEQUENCE others",
    "DROP TRIGGER first; CREATE TRIGGER mine BEFORE UPDATE ON orders FOR EACH ROW SET NEW.total = 1",
    "DROP VIEW a_first; CREATE VIEW mine AS SELECT 1; CREATE OR REPLACE VIEW z_named AS SELECT 1 AS id, 2 AS loud",
    "DROP PROCEDURE quoted; DROP EVENT tidy; CREATE PROCEDURE mine() SELECT 1",
]


@pytest.mark.parametrize("done", [*_DONE, "; ".join(_DONE)])
def test_it_is_what_it_was(endpoint: Endpoint, cloned_mariadb: MariaDBDatabase, tmp_path: Path, done: str) -> None:
    store = MariaDBStore(cloned_mariadb.endpoint, f"{tmp_path}.store")
    with (
        Connection(endpoint.socket, endpoint.user, endpoint.password, cloned_mariadb.name) as administrator,
        pymysql.connect(**cloned_mariadb.parameters, autocommit=True) as server,
        server.cursor() as cursor,
    ):
        administrator.run("INSERT INTO log (what) VALUES ('by a program, before the first test')")
        before = content(administrator, cloned_mariadb.name)
        store.take()
        for _ in range(2):
            administrator.run(done)
            assert content(administrator, cloned_mariadb.name) != before
            store.restore()
            assert content(administrator, cloned_mariadb.name) == before
        cursor.execute("SELECT COUNT(*) FROM customers")
        assert cursor.fetchone() == (2,)
        store.close()
