"""What one worker of pytest-xdist has of services for itself: a server, or a database for its programs.

Code under test that migrates or fills the database of DATABASE_URL would otherwise meet the other workers there, and
on one Redis the workers would share keys, channels and settings.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realservices.contract import environment
from realservices.kinds.registry import find_known
from realservices.system.bazel_files import load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.sources.replaced_variables import ReplacedVariables
    from realservices.sources.source import Declared, Source

    # Variables of the project's own, as parts (contract/environment.py).
    Mapped = Mapping[str, list[environment.Part]]


class WorkersOwn:
    """What one worker has.

    Attributes:
        worker: What pytest-xdist calls it: ``gw0``.

    Args:
        worker: See above.
        declared: Returns all services. What a server of the project's own uses all workers share: they must see what it
            sees.
        make_database: Makes a database on a server for this worker's programs alone, and returns its name; "" where the
            server cannot have another one like its own.
        variables: Of this process.
    """

    def __init__(
        self,
        worker: str,
        declared: Callable[[], Sequence[Declared]],
        make_database: Callable[[Endpoint], str],
        variables: ReplacedVariables,
    ) -> None:
        self.worker = worker
        self._declared = declared
        self._make_database = make_database
        self._variables = variables
        self._making = threading.Lock()
        self._own: dict[str, Endpoint] = {}

    def has_server(self, kind: str, name: str) -> bool:
        """Return whether the worker has a server of its own for a service. It starts nothing."""
        known = find_known(kind)
        return known is not None and known.has_worker_servers and name not in self._used_by_servers

    def endpoint(self, source: Source, kind: str, name: str) -> Endpoint:
        """Return a service as this worker has it, and have its variables say so.

        Args:
            source: Where the service comes from.
            kind: The service's.
            name: The service.

        Raises:
            RealServicesError: It does not serve.
        """
        if self.has_server(kind, name):
            own = source.own_server(kind, name, self.worker)
            with self._making:
                if source.launched and name not in self._own:
                    self._take(own, source.launched, _mapping())
            return own
        endpoint = source.endpoint(kind, name)
        known = find_known(kind)
        has_database = known is not None and known.has_worker_databases and endpoint.disposable
        if not has_database or name in self._used_by_servers:
            return endpoint
        with self._making:
            if name not in self._own:
                own = _with_database(endpoint, self._make_database(endpoint) or str(endpoint.database))
                if source.launched:
                    self._take(own, source.launched, _mapping())
                else:
                    self._take(own, {name: endpoint}, {})
        return self._own[name]

    @cached_property
    def _used_by_servers(self) -> frozenset[str]:
        return frozenset(name for each in self._declared() if each.kind == "executable" for name in each.needs)

    def _take(self, own: Endpoint, before: Mapping[str, Endpoint], mapping: Mapped) -> None:
        """Have a service's own one, and have the variables name it that named the one before.

        Args:
            own: The service as this worker has it.
            before: All services that the variables name.
            mapping: Variables of the target's own.
        """
        old = _variables({**before, **self._own}, mapping)
        self._own[own.name] = own
        for name, value in _variables({**before, **self._own}, mapping).items():
            if value != old[name] and os.environ.get(name) == old[name]:
                self._variables.set(name, value)


def _with_database(endpoint: Endpoint, database: str) -> Endpoint:
    """Return a service whose database for programs is another one."""
    url = urlsplit(endpoint.url)._replace(path=f"/{database}").geturl()
    return dataclasses.replace(endpoint, database=database, url=url)


def _mapping() -> dict[str, list[environment.Part]]:
    """Return those variables of a target's own attribute ``env`` that speak of services."""
    env = load_manifest(os.environ[environment.MANIFEST]).env
    return {name: parts for name, parts in env.items() if any(_is_reference(part) for part in parts)}


def _is_reference(part: environment.Part) -> bool:
    return isinstance(part, dict) and "service" in part


def _variables(endpoints: Mapping[str, Endpoint], mapping: Mapped) -> dict[str, str]:
    fields = {name: dataclasses.asdict(each) for name, each in endpoints.items()}
    return environment.service_environment(fields) | environment.mapped_environment(dict(mapping), fields)
