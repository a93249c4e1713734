"""What one process has on a MariaDB server: a connection of its own, databases, and a name in theirs.

On servers of others it copies their database once and never writes to it. All its databases carry its name, and its
connection holds a lock of that name (https://mariadb.com/kb/en/get_lock/): databases whose lock is free belong to a
session that was killed, and the next session drops them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.mariadb.blueprint import Blueprint, UncopiableError, read_blueprint
from realservices.kinds.mariadb.copies import copy_grants, drop_copy, make_copy
from realservices.kinds.mariadb.isolation.prepared_transactions import (
    prepared_transactions,
    wait_for_locks,
    without_locks,
)
from realservices.kinds.mariadb.isolation.written_files import WrittenFiles
from realservices.kinds.mariadb.names import OWN_PREFIX, TEMPLATE_DATABASE, quote_text
from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint

_OURS = f"SELECT schema_name FROM information_schema.schemata WHERE schema_name REGEXP '^{OWN_PREFIX}[^_]+_[0-9]+_'"
_CLIENTS = "SELECT id FROM information_schema.processlist WHERE db = {} AND id <> CONNECTION_ID()"
# Of databases, whose names a process never uses twice.
_NUMBERS = itertools.count(1)
_NO_SUCH_THREAD = 1094


class ServerSession:
    """What one process has on one server.

    Attributes:
        endpoint: The service.
        owner: How the names of its databases begin.
        written_files: What statements have written beside tables.

    Args:
        endpoint: The service.
        directory: Of the session; its name is part of the databases' names.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self.endpoint = endpoint
        self.owner = f"{OWN_PREFIX}{os.path.basename(directory).rpartition('.')[2].replace('_', '')}_{os.getpid()}"
        self._connection: Connection | None = None
        self._blueprint: Blueprint | None = None
        self._made: set[str] = set()
        # When the last database was made.
        self._prepared: set[str] = set()
        self.written_files = WrittenFiles()
        self._lock = threading.RLock()

    @property
    def blueprint(self) -> Blueprint:
        """What databases are made like.

        Raises:
            IsolationError: The server refuses to tell, or something in it cannot be copied.
        """
        with self.connected() as connection:
            if self._blueprint is None:
                self._blueprint = self._read(connection)
            return self._blueprint

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """Give the process's connection for a ``with`` block; what goes wrong in it is told in words.

        Raises:
            IsolationError: It went wrong.
        """
        service = self.endpoint
        with self._lock:
            try:
                yield self._alive()
            except (OSError, MariaDBRefusal, UncopiableError) as error:
                if isinstance(error, OSError):
                    self._connection = None
                raise IsolationError(
                    f"MariaDB service {service.name!r} ({service.label}) gives a test no database: {error}"
                ) from error

    def make_database(self) -> str:
        """Make a database like the service's own, and return its name.

        Raises:
            IsolationError: It cannot be made.
        """
        blueprint = self.blueprint
        with self.connected() as connection:
            name = self.new_name()
            self._prepared = prepared_transactions(connection)
            make_copy(connection, blueprint, name)
            return name

    def renew_grants(self) -> None:
        """Give this process's databases their privileges again, after accounts have been restored."""
        blueprint = self.blueprint
        if blueprint.grants:
            with self.connected() as connection:
                for name in self._made:
                    copy_grants(connection, blueprint, name)

    def new_name(self) -> str:
        """Return a name for a database that is made now, and dropped in the end."""
        name = f"{self.owner}_{next(_NUMBERS)}"
        self._made.add(name)
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and end the connections that are left in it.

        Raises:
            IsolationError: The server refuses, or something that is not in it holds a lock there.
        """
        with self.connected() as connection:
            _end_clients(connection, name)
            self.written_files.remove(connection, name)
            blueprint = self.blueprint
            without_locks(connection, lambda: drop_copy(connection, blueprint, name), self._prepared)
            self._made.discard(name)

    def close(self, *, drop: bool) -> None:
        """Disconnect; ``drop``: remove all databases before, because the server goes on."""
        with self._lock:
            if self._connection is None:
                return
            if drop:
                for name in [*self._made]:
                    with contextlib.suppress(IsolationError):  # The next session drops it.
                        self.drop_database(name)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _alive(self) -> Connection:
        """Return the connection, another one if the server has been restarted."""
        if self._connection is not None:
            try:
                self._connection.run("DO 0")
            except OSError:
                self._connection.close()
                self._connection = None
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        service = self.endpoint
        address = service.socket or (service.host, service.port)
        connection = Connection(address, service.user, service.password)
        wait_for_locks(connection)
        connection.run(f"DO GET_LOCK({quote_text(self.owner)}, 0)")
        return connection

    def _read(self, connection: Connection) -> Blueprint:
        if self.endpoint.disposable:
            return read_blueprint(connection, self.endpoint.template_database or TEMPLATE_DATABASE)
        _drop_abandoned(connection)
        original = read_blueprint(connection, str(self.endpoint.database))
        name = f"{self.owner}_0"
        self._made.add(name)
        make_copy(connection, original, name)
        return read_blueprint(connection, name)


def _drop_abandoned(connection: Connection) -> None:
    """Drop the databases of sessions that were killed."""
    for (name,) in connection.run(_OURS):
        owner = str(name).rpartition("_")[0]
        if connection.run(f"SELECT IS_FREE_LOCK({quote_text(owner)})") == [("1",)]:
            connection.run(f"DROP DATABASE IF EXISTS `{name}`")


def _end_clients(connection: Connection, name: str) -> None:
    for (thread,) in connection.run(_CLIENTS.format(quote_text(name))):
        try:
            connection.run(f"KILL {thread}")
        except MariaDBRefusal as error:
            if error.code != _NO_SUCH_THREAD:
                raise
