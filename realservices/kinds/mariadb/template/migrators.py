"""Migrators on the MariaDB that a template is made with."""

from __future__ import annotations

from realservices.kinds.mariadb.names import quote_text
from realservices.kinds.mariadb.wire import MariaDBRefusal
from realservices.services.migrator_runs import run_migrators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.kinds.mariadb.wire import Connection

_CLIENTS = "SELECT id FROM information_schema.processlist WHERE user = {}"
# Also those that were refused.
_CONNECTIONS = "SHOW GLOBAL STATUS LIKE 'Connections'"
_NO_SUCH_THREAD = 1094


def migrate_mariadb(connection: Connection, spec: dict[str, Any], endpoint: dict[str, Any], directory: str) -> None:
    """Run the migrators that ``--migrate`` describes; see `run_migrators`.

    Args:
        connection: The administrator's.
        spec: What ``--migrate`` says.
        endpoint: How the server is reached.
        directory: A path for their HOME.
    """

    def connections() -> object:
        _end_clients(connection, endpoint["user"])
        return connection.run(_CONNECTIONS)

    run_migrators(
        spec,
        "mariadb",
        endpoint,
        directory,
        traces=connections,
        remedy="MARIADB_URL or the TEST_MARIADB_* variables, or name what it reads in migrate_env: "
        '{"SQLALCHEMY_URL": "$(url pymysql)"}',
    )


def _end_clients(connection: Connection, user: str) -> None:
    """End connections that a migrator has left, whose open transactions the next step would wait for."""
    for (thread,) in connection.run(_CLIENTS.format(quote_text(user))):
        try:
            connection.run(f"KILL {thread}")
        except MariaDBRefusal as error:
            if error.code != _NO_SUCH_THREAD:
                raise
