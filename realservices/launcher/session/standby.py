"""Standby services: started for a session that may come, given to it if they are what it wants, replaced if not.

A standby service that was used is never used again: each session gets services that no other session has ever seen. It
is given only to a session that would have started just the same (digest.py), while it runs and answers, and what it
needs is there.
"""

from __future__ import annotations

import time

from realservices.control.states import READY, STARTING
from realservices.launcher.session.digest import service_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.launcher.supervisor import Supervisor

# For how many sessions a service is started that none of them uses.
_MOST_UNUSED = 5


class Standby:
    """Which of a supervisor's services are on standby, and which ones a later session may want again.

    Args:
        supervisor: Has them all.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._requests: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, str] = {}
        self._broken: set[str] = set()

    @property
    def names(self) -> set[str]:
        """Those that were not asked for."""
        return self._supervisor.standby

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The requests to be made again, each after those that it needs.

        Of what was asked for, and of what some sessions before had asked for: who runs one test for a while will want
        the others' services again. ``unused`` counts these sessions.
        """
        asked_for = {name: self._requests[name] | {"unused": 0} for name in self._requests if name not in self.names}
        added = 1 if asked_for else 0
        waiting = {
            name: request | {"unused": request.get("unused", 0) + added}
            for name, request in self._requests.items()
            if name in self.names
        }
        # What waits may need what was asked for, never the other way round.
        candidates = [*asked_for.items(), *waiting.items()]
        return [request for name, request in candidates if self._digests[name] and request["unused"] <= _MOST_UNUSED]

    def begin(self, request: dict[str, Any]) -> None:
        """Take note of a service that is about to be started for nobody."""
        self._note(request)
        self.names.add(request["service"]["name"])

    def check(self) -> None:
        """Ask all of them whether they still serve: somebody has claimed them, and prepares what to ask for."""
        for name in self.names:
            supervised = self._supervisor.services[name]
            if supervised.state == READY and not supervised.service.is_sound():
                self._broken.add(name)

    def forget(self, request: dict[str, Any]) -> None:
        """Take note that it could not be started."""
        name = request["service"]["name"]
        self.names.discard(name)
        del self._requests[name]

    def is_taken(self, request: dict[str, Any]) -> bool:
        """Give a service to who asks for it; False if it is to be started, because there is none like it."""
        name = request["service"]["name"]
        if name not in self._supervisor.services:
            self._note(request)
            return False
        if name not in self.names:
            return True
        begun_as, asked_at = self._digests[name], time.monotonic()
        self._note(request)
        if begun_as and begun_as == self._digests[name] and self._is_sound(name):
            self.names.discard(name)
            self._supervisor.services[name].taken(asked_at)
            return True
        self._discard(name)
        return False

    def drop_broken(self) -> None:
        """Let go of those that do not run: whoever wants such a service has it started, and is told what is wrong."""
        for name in [*self.names]:
            if name in self.names and self._supervisor.services[name].error:
                self._discard(name)
                del self._requests[name]

    def _note(self, request: dict[str, Any]) -> None:
        entry = request["service"]
        digests = {name: self._digests.get(name, "") for name in entry["needs"]}
        self._requests.pop(entry["name"], None)  # In the order in which they were asked for.
        self._requests[entry["name"]] = request
        # Fixed ports are the developer's, who may want them for something else meanwhile.
        self._digests[entry["name"]] = "" if entry.get("ports") else service_digest(entry, digests)

    def _is_sound(self, name: str) -> bool:
        return name not in self._broken and self._supervisor.services[name].state in (STARTING, READY)

    def _discard(self, name: str) -> None:
        """End one, with those that were told of its address."""
        for other in [*self._supervisor.services.values()]:
            if name in other.service.spec.needs and other.name in self.names:
                self._discard(other.name)
        self.names.discard(name)
        self._supervisor.remove(name)
