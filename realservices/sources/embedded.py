"""Services that the session starts itself, each at its first use: plain pytest, or a script, without any launcher.

What there is says the project's declarations (declarations.py); without any, a PostgreSQL and a Redis with the rules'
defaults. All processes of the session share them.
"""

from __future__ import annotations

import contextlib
import os
import resource  # noqa: F401 - for system/os_errors.py, which may have no descriptor left to import it with
import threading
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from realservices.contract import environment
from realservices.contract.errors import RealServicesError
from realservices.contract.runtime import endpoint_of
from realservices.contract.user_variables import EAGER
from realservices.contract.warmth import wants_warm
from realservices.kinds.registry import find
from realservices.sources.declarations import Project, declared_in, read_project
from realservices.sources.errors import DeadServiceError, SettingError, UnreachableServiceError
from realservices.sources.replaced_variables import ReplacedVariables
from realservices.sources.source import Declared, Source
from realservices.sources.variables import EXPORTED
from realservices.system.os_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from realservices.clients.state_watch import StateWatch
    from realservices.contract.runtime import Endpoint
    from realservices.sources.declarations import Declaration
    from realservices.sources.engine import Engine
    from realservices.sources.references import Part
    from realservices.sources.session import Session
    from realservices.sources.warm import Warmth


class EmbeddedServices(Source):
    """The session's own services.

    Args:
        root: The project's directory.
        session: Returns the session, which begins with the first request for it.
        eager: Names of services to start before the first conftest.py is imported.
    """

    def __init__(self, root: Path, session: Callable[[], Session], eager: Sequence[str] = ()) -> None:
        self._root = root
        self._session = session
        self._eager = eager
        self._endpoints: dict[str, Endpoint] = {}
        self._failed: dict[str, RealServicesError] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._variables = ReplacedVariables()
        self._ports: dict[str, list[int]] = {}
        # What services are called in the session that are this worker's alone.
        self._own_names: dict[str, str] = {}
        self._is_closed = False
        self._watch: StateWatch | None = None

    @property
    def isolation(self) -> str:  # type: ignore[override]
        """What `isolated_database` is, as the project says."""
        return self._project.isolation

    @property
    def warmth(self) -> Warmth | None:
        """How services are kept for the next session, if they are.

        Raises:
            ManifestError: The environment says it in words that mean nothing.
        """
        if not self._wants_warmth:
            return None
        from realservices.sources.warm import warmth_of  # noqa: PLC0415 - most sessions keep nothing

        return warmth_of(self._project, self._root)

    @property
    def _wants_warmth(self) -> bool:
        wanted = wants_warm()
        return self._project.warm if wanted is None else wanted

    @property
    def control(self) -> str:  # type: ignore[override]
        """Path of the services' control socket; it is there when a service is."""
        self._engine.start()
        return self._engine.control

    def declared(self) -> list[Declared]:
        """Return what is known of every service, in the order of declaration."""
        services = self._project.services.values()
        return [Declared(each.name, each.kind, each.needs, each.speaks, each.is_default) for each in services]

    def names(self, kind: str) -> list[str]:
        """Return the names of the services of a kind: every test asks, and `declared` looks at much more."""
        return [each.name for each in self._project.services.values() if each.kind == kind]

    def declaration(self, name: str) -> Declaration | None:
        """Return what the project says about a service, if it says anything."""
        return self._project.services.get(name)

    @property
    def environment(self) -> dict[str, list[Part]]:
        """Variables of the project's own, as parts of a manifest (contract/environment.py)."""
        return self._project.env

    @property
    def declared_in(self) -> str:
        """Where the session's services are declared, in words."""
        path = declared_in(self._root)
        return f"what {path} says" if path else f"no declaration, as there is none in {self._root}"

    def ignored_declaration(self, directory: Path) -> Path | None:
        """Return the nearest file from a directory upwards that declares services below the project's own directory."""
        if not directory.is_relative_to(self._root):
            return None
        for path in (directory, *directory.parents):
            if path == self._root:
                break
            with contextlib.suppress(SettingError):  # Another project's.
                if found := declared_in(path):
                    return found
        return None

    def fix_ports(self, name: str, ports: Sequence[int]) -> None:
        """Have a service started on these ports; once it runs, it has those that it has.

        Args:
            name: The service.
            ports: One for each of its declaration's `port_names`, in that order.
        """
        self._ports[name] = list(ports)

    def is_had(self, kind: str) -> bool:
        """Return whether somebody has declared such a service, or there is at least a program for one."""
        declared = [each for each in self._project.services.values() if each.kind == kind]
        if not all(each.is_default for each in declared):
            return True
        from realservices.sources.declared_kind import declared_kind  # noqa: PLC0415 - for those who ask

        try:
            declared_kind(kind).find_program()
        except RealServicesError:
            return False
        return bool(declared)

    def endpoint(self, kind: str, name: str) -> Endpoint:
        """Return a service when it serves, which it starts to do now if it does not yet.

        Raises:
            MissingServiceError: There is no program to start.
            DeadServiceError: It has served, and died.
            RealServicesError: It does not start.
        """
        with self._locks[name]:
            if name in self._failed:
                raise self._failed[name]  # Every test that needs it is told, and none waits for it again.
            if name not in self._endpoints:
                declaration = self._project.services[name]
                for needed in declaration.needs:
                    self.endpoint(self._project.services[needed].kind, needed)
                try:
                    self._endpoints[name] = self._started(name)
                except RealServicesError as error:
                    self._failed[name] = error
                    raise
        death = self.deaths().get(name)
        if death:
            raise DeadServiceError(death)
        return self._endpoints[name]

    def own_server(self, kind: str, name: str, worker: str) -> Endpoint:
        """See `Source`. The session has one for each worker."""
        self._own_names[name] = f"{name}-{worker}"
        return self.endpoint(kind, name)

    def running_name(self, name: str) -> str:
        """See `Source`."""
        return self._own_names.get(name, name)

    def deaths(self, wait_s: float = 0.0) -> dict[str, str]:
        """Return those services that this process uses and that have died: why, and their last log lines.

        Args:
            wait_s: How long to wait for a death where none is known yet.
        """
        if self._watch is None:
            return {}
        found = self._watch.failed(wait_s)
        if self._watch.is_lost():
            end = "the process that runs the session's services has ended, and they with it"
            return {name: f"service {name!r} ({each.label}) has died: {end}" for name, each in self._endpoints.items()}
        names = {name: self.running_name(name) for name in self._endpoints}
        return {name: found[own] for name, own in names.items() if own in found} if found else {}

    def failures(self) -> list[str]:
        """Ask how the session's services are; return what there is to say of those that have failed."""
        if self._watch is None:
            return []
        from realservices.control.client import BlockingServiceControl, ControlError  # noqa: PLC0415 - it is there

        try:
            found = BlockingServiceControl(self._engine.control).status()
        except ControlError as error:
            return [f"the process that ran the services has ended, and they with it: {error}"]
        return [status.error for status in found.values() if status.error]

    def start(self) -> None:
        """Start what the user wants to be there before anything is imported.

        Raises:
            RealServicesError: It does not start, or what the project or the environment says means nothing.
        """
        # Whatever the tests are: a mistake is the run's, and not that of the first test with a service.
        assert self._project
        wants_warm()
        for name in (os.environ.get(EAGER, "") not in ("", "0") and self._everything()) or self._eager:
            self.endpoint(self._known(name).kind, name)

    def _everything(self) -> list[str]:
        """Return the services that the project declares; where it declares none, those that are available."""
        services = self._project.services.values()
        declared = [each.name for each in services if not each.is_default]
        return declared or [each.name for each in services if each.kind != "executable" and self.is_had(each.kind)]

    def close(self) -> None:
        """Take back what was exported. The services end with the session, and no further one starts."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._variables.restore()

    @cached_property
    def _project(self) -> Project:
        return read_project(self._root)

    @cached_property
    def _engine(self) -> Engine:
        from realservices.sources.engine import Engine  # noqa: PLC0415 - most sessions start nothing

        return Engine(self._session())

    def _started(self, name: str) -> Endpoint:
        try:
            return self._start(name)
        except OSError as error:
            raise explain(error, f"service {name!r} cannot be started") from None

    def _start(self, name: str) -> Endpoint:
        from realservices.sources.entries import entry_of  # noqa: PLC0415 - as above

        if self._wants_warmth:
            self._session()  # What waits is asked how it is, while we prepare what to ask for.
        with entry_of(self._project.services[name], self._project.services) as entry:
            if self._is_closed:
                # Another thread has closed this meanwhile: to start a service now would begin another session.
                raise UnreachableServiceError(f"service {name!r} does not start: its session has ended")
            entry["name"] = self.running_name(name)
            if self._ports.get(name):
                entry["ports"] = self._ports[name]
            found = self._engine.add(entry)
        if self._watch is None:
            from realservices.clients.state_watch import StateWatch  # noqa: PLC0415 - as above

            self._watch = StateWatch(self._engine.control)
        self._export(name, found)
        return endpoint_of(name, found)

    def _known(self, name: str) -> Any:
        from realservices.sources.errors import SettingError  # noqa: PLC0415 - errors only

        if name not in self._project.services:
            raise SettingError(
                f"the option realservices_services names {name!r}; the project has {', '.join(self._project.services)}"
            )
        return self._project.services[name]

    def _export(self, name: str, found: dict[str, Any]) -> None:
        """Let code under test find the service by the same variables as under the launcher."""
        kind = found["kind"]
        variables = environment.service_environment({name: found})
        if self.names(kind)[0] != name:
            for variable in find(kind).variables:
                variables.pop(variable, None)
        # A pytest that a test starts must not take them for external ones.
        kinds = {*os.environ.get(EXPORTED, "").split(), kind}
        for variable, value in {**variables, EXPORTED: " ".join(sorted(kinds))}.items():
            self._variables.set(variable, value)
