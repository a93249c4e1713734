"""How `validate` uses a MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.validated_kind import SERVERS, TABLE, ValidatedKind, expect
from realservices.kinds.mariadb.names import quote_text
from realservices.kinds.mariadb.wire import Connection

if TYPE_CHECKING:
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


class _MariaDB(ValidatedKind):
    async def use(self, client: MariaDBDatabase) -> str:
        with _connected(client) as connection:
            connection.run(f"CREATE TABLE {TABLE} (value INT); INSERT INTO {TABLE} VALUES (1)")
            expect("what was written", connection.run(f"SELECT value FROM {TABLE}"), [("1",)])
            return f"{_shown(connection)}: written, read"

    async def use_servers(self, client: MariaDBDatabase) -> str:
        with _connected(client) as connection:
            return f"{_shown(connection)}: {SERVERS}"

    async def is_seen(self, client: MariaDBDatabase) -> bool:
        with _connected(client) as connection:
            return bool(connection.run(f"SHOW TABLES LIKE {quote_text(TABLE)}"))


def _connected(client: MariaDBDatabase) -> Connection:
    service = client.endpoint
    return Connection((service.host, service.port), service.user, service.password, client.name)


def _shown(connection: Connection) -> str:
    return f"MariaDB {connection.server_version.removesuffix('-MariaDB')}"


VALIDATED = _MariaDB()
