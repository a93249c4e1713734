"""A MariaDB that servers of the project's own use: what they find before the first test is there again after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.servers_store import ServersStore
from realservices.kinds.mariadb.blueprint import read_blueprint
from realservices.kinds.mariadb.copies import make_copy
from realservices.kinds.mariadb.isolation.session import ServerSession
from realservices.kinds.mariadb.restoring import restore_database

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.kinds.mariadb.blueprint import Blueprint


class MariaDBStore(ServersStore):
    """See `ServersStore`.

    Args:
        endpoint: The service.
        directory: Of the session.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self._session = ServerSession(endpoint, directory)
        self._database = str(endpoint.database)
        self._before: Blueprint | None = None

    def take(self) -> None:
        with self._session.connected() as connection:
            name = self._session.new_name()
            make_copy(connection, read_blueprint(connection, self._database), name)
            self._before = read_blueprint(connection, name)

    def restore(self) -> None:
        if self._before is not None:
            with self._session.connected() as connection:
                restore_database(connection, self._before, self._database)

    def close(self) -> None:
        self._session.close(drop=not self._session.endpoint.disposable)
