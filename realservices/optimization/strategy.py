"""How many clones to keep ready, how many connections to keep open: demand, within what level and machine allow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.optimization.machine_resources import this_machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.optimization.demand import Demand
    from realservices.optimization.machine_resources import Machine
    from realservices.optimization.optimization_levels import OptimizationSettings

# Looking at the machine takes 0.1 ms; within a second it does not change by what matters here.
_MACHINE_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerRoom:
    """What a PostgreSQL server says of its connections and of the template's size.

    Attributes:
        max_connections: The server's setting.
        reserved: How many of them only superusers get.
        others: How many are others' now.
        clone_bytes: How large a clone is when nobody has written to it.
    """

    max_connections: int
    reserved: int
    others: int
    clone_bytes: int


class AdaptiveStrategy:
    """Decides for one process.

    Attributes:
        settings: The bounds.
        clock: Monotonic seconds.

    Args:
        settings: The bounds.
        machine: Looks at the machine.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: OptimizationSettings,
        machine: Callable[[], Machine] = this_machine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._look = machine
        self.clock = clock
        self._machine = machine()
        self._looked = clock()

    @property
    def machine(self) -> Machine:
        """The machine, as it was a second ago at most."""
        if self.clock() - self._looked > _MACHINE_S:
            self._machine, self._looked = self._look(), self.clock()
        return self._machine

    @property
    def makers(self) -> int:
        """How many clones to make at the same time: the server uses a CPU for each."""
        return min(self.settings.database_makers, self.machine.cpus)

    def ready_databases(self, demand: Demand, clone_bytes: int, *, used: int = 0) -> int:
        """Return how many clones of a size should be ready, by what has been asked for, beside those that are used."""
        settings = self.settings
        if not settings.enable_resource_pooling:
            return 0
        wanted = min(settings.max_ready_databases, max(settings.min_ready_databases, demand.needed()))
        return max(0, min(wanted, self._clones_in_memory(clone_bytes, used) - used))

    def connections(self, room: ServerRoom, *, held: int, own: int) -> int:
        """Return how many connections tests may have at once: at least one, or no test could run at all.

        Args:
            room: What the server allows.
            held: How many there are now; their databases take memory already.
            own: Administrative connections of ours, which count as ours.
        """
        free = room.max_connections - room.reserved - room.others - self.settings.reserved_connections
        most = min(self.settings.pool_max_connections, free) - own
        return max(1, min(most, self._clones_in_memory(room.clone_bytes, held)))

    def _clones_in_memory(self, clone_bytes: int, existing: int) -> int:
        """Return how many there may be, of the memory that would be free without those that exist."""
        return int(self.settings.memory_share * (self.machine.free_bytes / clone_bytes + existing))
