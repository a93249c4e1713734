"""The services of this test process, wherever they come from. Everything after this knows no origin.

For each kind of service the first origin that has one serves: the launcher, then what the environment names, then the
session itself.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.contract import environment
from realservices.contract.runtime import load_runtime
from realservices.kinds.registry import find_known
from realservices.sources.declared_kind import declared_kind
from realservices.sources.errors import MissingServiceError
from realservices.sources.launched import LaunchedServices
from realservices.sources.missing import (
    explain_undeclared,
    explain_unlaunched,
    is_under_bazel,
    services_are_required,
)
from realservices.sources.project import project_root
from realservices.sources.replaced_variables import ReplacedVariables
from realservices.sources.source import Declared, Source
from realservices.sources.variables import external_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realservices.contract.runtime import Endpoint, Runtime
    from realservices.sources.embedded import EmbeddedServices
    from realservices.sources.session import Session


class Services:
    """All services that this process can have.

    Args:
        sources: Their origins; of two that have a kind the first one serves.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = list(sources)
        self._main = sources[0] if sources else Source()
        self._embedded: EmbeddedServices | None = None
        self._session: Session | None = None
        self._made_session = False
        self._variables = ReplacedVariables()
        # Makes a database on a PostgreSQL for this process's programs alone, and returns its name.
        self.make_own_database: Callable[[Endpoint], str] | None = None
        self._own: dict[str, Endpoint] = {}
        self._renaming = threading.Lock()
        # Services are started by several threads at once, and the first one makes the session.
        self._joining = threading.Lock()

    @property
    def label(self) -> str:
        """The test target that declares the services, "" outside of Bazel."""
        return self._main.label

    @property
    def control(self) -> str:
        """Path of the control socket of the process that runs the services. Empty: there is none."""
        return self._main.control

    @property
    def sandbox(self) -> str:
        """Directory for the files of this test process and its workers. Empty: pytest's own serves."""
        return self._main.sandbox

    @property
    def private(self) -> str:
        """Directory that all processes of this test share, and no other one, for locks."""
        return self._main.private or str(self.session.directory)

    @property
    def session(self) -> Session:
        """The session that this process belongs to; it begins with the first request for it."""
        with self._joining:
            if self._session is None:
                from realservices.sources.session import join_session  # noqa: PLC0415 - under a launcher there is none

                warmth = self._embedded.warmth if self._embedded else None
                try:
                    self._session, self._made_session = join_session(warmth)
                except OSError as error:
                    from realservices.system.os_errors import explain  # noqa: PLC0415 - errors only

                    raise explain(error, "the test session cannot begin") from None
            return self._session

    @property
    def ends_session(self) -> bool:
        """Whether the session ends with this object: what it has left with others must then be removed."""
        return self._session is not None and self._made_session and self._session.is_first

    @property
    def isolation(self) -> str:
        """What `isolated_database` is: ``transaction`` or ``database``."""
        return self._main.isolation

    @property
    def are_required(self) -> bool:
        """Whether a test without its service must fail, because services were promised to it."""
        return isinstance(self._main, LaunchedServices) or services_are_required()

    def declared(self) -> list[Declared]:
        """Return what is known of the services of all kinds, each from the origin that serves it. It starts nothing."""
        return [
            service for source in self._sources for service in source.declared() if self._source(service.kind) is source
        ]

    def names(self, kind: str) -> list[str]:
        """Return the names of the services of a kind, in the order of declaration. It starts nothing."""
        source = self._source(kind)
        return source.names(kind) if source else []

    def is_had(self, kind: str) -> bool:
        """Return whether a service of a kind is available here. It starts nothing."""
        source = self._source(kind)
        return source is not None and source.is_had(kind)

    def endpoint(self, kind: str, name: str | None = None) -> Endpoint:
        """Return the service that a test means, when it serves: the named one, else the first of its kind.

        Raises:
            MissingServiceError: There is no such service.
            RealServicesError: It does not serve.
        """
        source = self._source(kind)
        present = source.names(kind) if source else []
        if source is None or (name is not None and name not in present):
            raise MissingServiceError(kind, self._explain(kind, name))
        found = source.endpoint(kind, name if name is not None else present[0])
        return self._with_own_database(found) if self._is_workers_own(kind) else found

    def embed(self, root: Path, eager: Sequence[str] = ()) -> None:
        """Let the session start services itself.

        Args:
            root: The project's directory, where its services are declared.
            eager: Names of services to start before the first conftest.py is imported.
        """
        from realservices.sources.embedded import EmbeddedServices  # noqa: PLC0415 - nothing of it under a launcher

        self._main = self._embedded = EmbeddedServices(root, lambda: self.session, eager)
        names = defaultdict[str, list[str]](list)
        for service in self._main.declared() if external_kinds() else ():
            names[service.kind].append(service.name)
        self._sources = [*_external(names), self._main]

    @property
    def embedded(self) -> EmbeddedServices | None:
        """The origin whose services this session starts itself, where it may."""
        return self._embedded

    def fills(self, endpoint: Endpoint) -> Callable[[str], None] | None:
        """Return what makes a project's own database of a fresh one on a PostgreSQL of others, or None."""
        declaration = self._embedded.declaration(endpoint.name) if self._embedded else None
        return declared_kind(declaration.kind).fills(declaration, endpoint) if declaration else None

    def is_launched(self, kind: str) -> bool:
        """Return whether the services of a kind serve already, so that asking for one takes no time."""
        return isinstance(self._source(kind), LaunchedServices)

    def start(self) -> None:
        """Do what must be done before the first conftest.py is imported.

        Raises:
            RealServicesError: A service that was promised does not serve.
        """
        for source in self._sources:
            source.start()
        for service in self.declared() if self.make_own_database else ():
            if self._is_workers_own(service.kind) and self.is_launched(service.kind):
                self.endpoint(service.kind, service.name)
        if self._embedded:
            self._set_own_variables(self._embedded)

    def share(self) -> None:
        """Begin the session, so that processes started from now on belong to it. A launcher has done that."""
        if not self._main.private:
            assert self.session

    def close(self) -> None:
        """End this process's use of all services."""
        self._variables.restore()  # Before those that the origins have set, which may be the same.
        for source in self._sources:
            source.close()
        if self._session is not None and self._made_session:
            self._end_services(self._session)
            self._session.close()
            self._session = None

    def _is_workers_own(self, kind: str) -> bool:
        """Return whether programs of this process, a worker, have a database of their own on services of a kind."""
        found = find_known(kind)
        return self.make_own_database is not None and found is not None and found.has_worker_databases

    def _with_own_database(self, endpoint: Endpoint) -> Endpoint:
        """Return a service as this worker has it; have its variables say so."""
        from realservices.sources import own_database  # noqa: PLC0415 - for workers only

        with self._renaming:
            if endpoint.name not in self._own:
                if not endpoint.disposable or own_database.is_used_by_servers(endpoint.name, self.declared()):
                    return endpoint
                assert self.make_own_database
                own = own_database.with_database(endpoint, self.make_own_database(endpoint))
                for name, value in own_database.changed_variables(endpoint, own).items():
                    self._variables.set(name, value)
                self._own[endpoint.name] = own
            return self._own[endpoint.name]

    def _set_own_variables(self, embedded: EmbeddedServices) -> None:
        """Set the project's own variables, which its settings read when they are imported."""
        for name, parts in embedded.environment.items():
            endpoints: dict[str, dict[str, Any]] = {}
            for service in {part["service"] for part in parts if isinstance(part, dict)}:
                declaration = embedded.declaration(service)
                assert declaration is not None
                endpoints[service] = dataclasses.asdict(self.endpoint(declaration.kind, service))
            self._variables.set(name, environment.resolved_text(f"env {name}", parts, endpoints))

    def _end_services(self, session: Session) -> None:
        """Wait for the end of what any process of the session has started; the others are gone by now."""
        if self._embedded:
            from realservices.sources.engine import Engine  # noqa: PLC0415 - most sessions start nothing

            Engine(session).end()

    def _source(self, kind: str) -> Source | None:
        return next((source for source in self._sources if source.names(kind)), None)

    def _explain(self, kind: str, name: str | None) -> str:
        if isinstance(self._main, LaunchedServices):
            return explain_undeclared(self._main, kind, name)
        return explain_unlaunched(kind)


def find_services(root: Path | None = None, eager: Sequence[str] = ()) -> Services:
    """Return the services that this process was given, or can have.

    Args:
        root: The project's directory, by default the nearest one from here upwards with a pyproject.toml or
            realservices.toml. Under Bazel a session starts nothing: there a target declares what it needs.
        eager: Names of services to start before the first conftest.py is imported, where the session starts them.

    Raises:
        RealServicesError: There is a description of services that cannot be read.
    """
    path = os.environ.get(environment.RUNTIME)
    if path:
        return _with_launcher(load_runtime(path))
    services = Services(_external({}))
    if not is_under_bazel():
        services.embed(root or project_root(), eager)
    return services


def _with_launcher(runtime: Runtime) -> Services:
    # The launcher's own variables name services of kinds that it has.
    others = [kind for kind in external_kinds() if not runtime.of_kind(kind)]
    return Services([LaunchedServices(runtime), *(_external({}) if others else ())])


def _external(names: Mapping[str, Sequence[str]]) -> list[Source]:
    if not external_kinds():
        return []
    from realservices.sources.external_services import ExternalServices  # noqa: PLC0415 - where the environment names some

    return [ExternalServices(names)]
