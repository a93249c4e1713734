"""What the tests of one process do to a server as a whole: when they may, and what of it has to be undone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.service_isolation import Finding
from realservices.kinds.postgres.isolation.restore.outside import OutsideChanges
from realservices.kinds.postgres.isolation.restore.turns import ServerTurns

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.doors import Doors
    from realservices.kinds.postgres.isolation.lock_waits import LockWaits
    from realservices.kinds.postgres.isolation.restore.cluster import State
    from realservices.kinds.postgres.isolation.restore.restorer import Restorer


class ServerUse:
    """One process's tests on a server that other processes may share.

    Args:
        endpoint: The service.
        restorer: Looks at the server, and restores it.
        doors: Of the databases that are compared.
        lock_waits: Watched while tests run.
        shared: What the names of the files that all processes share begin with. Empty: there are no others.
    """

    def __init__(
        self, endpoint: Endpoint, restorer: Restorer, doors: Doors, lock_waits: LockWaits, shared: str
    ) -> None:
        self._endpoint = endpoint
        self._restorer = restorer
        self._doors = doors
        self._lock_waits = lock_waits
        self._turns = ServerTurns(shared)
        self._outside = OutsideChanges(f"{shared}.outside" if shared else "")
        self._tests = 0
        self._findings: list[Finding] = []

    async def begin(self) -> None:
        """Have a test of this process begin."""
        self._tests += 1
        if self._tests == 1:
            self._lock_waits.begin()
            await self._turns.begin_test()

    def end(self) -> None:
        """Have one end."""
        self._tests -= 1
        if self._tests == 0:
            self._lock_waits.end()
            self._turns.end_test()

    async def begin_outside(self) -> State | None:
        """Have a change begin that is made on purpose for several tests; return what there was before."""
        since = await self._restorer.look_at_server()
        await self.begin()
        return since

    async def end_outside(self, since: State | None) -> None:
        """Have it end: what has changed since then stays."""
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if changed := await self._restorer.accept_changes(since):
                    self._outside.tell(changed)
        finally:
            self.end()

    @property
    def must_restore(self) -> bool:
        """Whether a test may have changed the server as a whole, and none runs."""
        return self._restorer.is_server_suspect and self._tests == 0

    async def restore(self, test: str) -> None:
        """Undo in the server as a whole what a test has left there; what cannot be undone is a finding."""
        async with self._turns.alone():
            for name in self._restorer.suspects:
                await self._doors.open(name)  # It is compared with what it was, which is open.
            left = await self._restorer.restore_server(self._outside.of_others())
        self._findings += [Finding(test, self._explain(left))] if left else []

    def take_findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        found, self._findings = self._findings, []
        return found

    def close(self) -> None:
        """Leave the server to others."""
        self._turns.close()

    def _explain(self, left: list[str]) -> str:
        service = self._endpoint
        return (
            f"this test has left in service {service.name!r} ({service.label}), for all databases of it: "
            f"{', '.join(left)}. That could not be undone. Undo it in the test, or have the service declare it "
            "(migrations, settings)"
        )
