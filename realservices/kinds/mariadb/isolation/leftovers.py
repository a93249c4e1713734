"""What a test leaves in the whole server, undone after it: databases, accounts, global variables and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.server_leftovers import ServerLeftovers, State
from realservices.kinds.mariadb.copies import make_copy
from realservices.kinds.mariadb.isolation.server_objects import server_objects, undo, variables

if TYPE_CHECKING:
    from realservices.kinds.mariadb.isolation.session import ServerSession


class Leftovers(ServerLeftovers):
    """See `ServerLeftovers`.

    Args:
        session: What this process has on the server.
        directory: What all processes that share it share.
    """

    def __init__(self, session: ServerSession, directory: str) -> None:
        super().__init__(f"{directory}/{session.endpoint.name}.mariadb")
        self._session = session
        self._original: State = {}

    def look(self) -> State:
        """See `ServerLeftovers`."""
        with self._session.connected() as connection:
            if not self._original:
                self._original = variables(connection)
            return server_objects(connection, self._original)

    def undo(self, before: State, now: State) -> None:
        """See `ServerLeftovers`."""
        with self._session.connected() as connection:
            undo(
                connection,
                before=before,
                now=now,
                original=self._original,
                make_database=lambda name: make_copy(connection, self._session.blueprint, name),
            )
        self._session.renew_grants()
