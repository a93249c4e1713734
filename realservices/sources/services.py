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
    from realservices.sources.workers_own import WorkersOwn


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
        self._own: WorkersOwn | None = None
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

    def directory_of(self, endpoint: Endpoint) -> str:
        """Return the directory that all processes that share a service share, and no other one, for locks."""
        if not self._own or not self._own.has_server(endpoint.kind, endpoint.name):
            return self.private
        directory = f"{self.private}/{self._own.worker}"
        os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103 - as all paths here are texts
        return directory

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
        chosen = name if name is not None else present[0]
        if self._own:
            return self._own.endpoint(source, kind, chosen)
        return source.endpoint(kind, chosen)

    def have_own(self, worker: str, make_database: Callable[[Endpoint], str]) -> None:
        """Have for this process alone what each worker of pytest-xdist has.

        Args:
            worker: See `WorkersOwn`.
            make_database: See `WorkersOwn`.
        """
        from realservices.sources.workers_own import WorkersOwn  # noqa: PLC0415 - for workers only

        self._own = WorkersOwn(worker, self.declared, make_database, self._variables)

    def running_name(self, endpoint: Endpoint) -> str:
        """Return what the process that runs the services calls one."""
        source = self._source(endpoint.kind)
        return source.running_name(endpoint.name) if source else endpoint.name

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
        for service in self.declared() if self._own else ():
            if self.is_launched(service.kind):  # Before anything reads the variables that name it.
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
