"""The database in which a process's tests have their transactions: a copy, brought back to what it was behind each.

A rollback brings rows back. It does not bring back what knows no transactions: the next number of an AUTO_INCREMENT,
sequences, tables of Aria, MyISAM and MEMORY. So these are compared behind each test. Where only numbers of
AUTO_INCREMENT differ they are set; else the database is made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.mariadb.names import quote_name, quote_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.kinds.mariadb.blueprint import Blueprint
    from realservices.kinds.mariadb.isolation.session import ServerSession
    from realservices.kinds.mariadb.wire import Connection

_NUMBERS = (
    "SELECT table_name, auto_increment FROM information_schema.tables "
    "WHERE table_schema = {} AND auto_increment IS NOT NULL"
)
_OTHER_ENGINES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = {} AND table_type = 'BASE TABLE' "
    "AND engine <> 'InnoDB'"
)
_State = tuple["Mapping[str, str]", "Mapping[str, str]"]


class OwnCopy:
    """A copy that lasts from test to test.

    Args:
        session: What this process has on the server.
    """

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._name = ""
        self._before: _State = {}, {}
        self._others: list[str] = []

    def name(self) -> str:
        """Return the database's name; the first time it is made.

        Raises:
            IsolationError: It cannot be made.
        """
        if not self._name:
            name = self._session.make_database()
            with self._session.connected() as connection:
                found = connection.run(_OTHER_ENGINES.format(quote_text(name)))
                self._others = [str(table) for (table,) in found]
                self._before = self._state(connection, name)
            self._name = name
        return self._name

    def restore(self) -> None:
        """Bring back what the rollback did not.

        Raises:
            IsolationError: The server refuses.
        """
        if not self._name:
            return
        with self._session.connected() as connection:
            self._session.written_files.remove(connection, self._name)
            numbers, others = self._state(connection, self._name)
            if others == self._before[1] and numbers.keys() == self._before[0].keys():
                changed = [table for table, number in numbers.items() if number != self._before[0][table]]
                for table in changed:
                    qualified = f"{quote_name(self._name)}.{quote_name(table)}"
                    connection.run(f"ALTER TABLE {qualified} AUTO_INCREMENT = {self._before[0][table]}")
                if not changed or self._state(connection, self._name) == self._before:
                    return
        self.drop()

    def drop(self) -> None:
        """Drop the database, and end the connections that are left in it; the next test gets another.

        Raises:
            IsolationError: The server refuses.
        """
        name, self._name = self._name, ""
        if name:
            self._session.drop_database(name)

    def _state(self, connection: Connection, name: str) -> _State:
        """Return the numbers of AUTO_INCREMENT, and what else knows no transactions."""
        numbers = {str(table): str(number) for table, number in connection.run(_NUMBERS.format(quote_text(name)))}
        blueprint: Blueprint = self._session.blueprint
        others: dict[str, str] = {}
        for sequence, _, _ in blueprint.sequences:
            qualified = f"{quote_name(name)}.{quote_name(sequence)}"
            others[sequence] = str(connection.run(f"SELECT next_not_cached_value, cycle_count FROM {qualified}"))
        if self._others:
            tables = ", ".join(f"{quote_name(name)}.{quote_name(table)}" for table in self._others)
            others |= {str(table): str(checksum) for table, checksum in connection.run(f"CHECKSUM TABLE {tables}")}
        return numbers, others
