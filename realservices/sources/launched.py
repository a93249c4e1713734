"""Services that the launcher has started for this test action; it is told of by REALSERVICES_RUNTIME."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.contract.environment import MANIFEST
from realservices.contract.runtime import endpoint_of
from realservices.control.client import BlockingServiceControl
from realservices.sources.source import Declared, Source, protocols
from realservices.system.bazel_files import load_manifest

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint, Runtime


class LaunchedServices(Source):
    """The services of a launcher.

    Args:
        runtime: What the launcher has written about them.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.label, self.control = runtime.label, runtime.control
        self.sandbox, self.private = runtime.sandbox, runtime.private
        self.isolation = runtime.isolation
        self.launched = runtime.services
        # Servers of this worker alone.
        self._own: dict[str, Endpoint] = {}
        self._own_names: dict[str, str] = {}

    @property
    def described(self) -> list[str]:
        """Every service in words, for messages."""
        return [f"{each.name} ({each.kind}, {each.label})" for each in self._runtime.services.values()]

    def declared(self) -> list[Declared]:
        """Return what is known of every service, in the order of declaration."""
        return [Declared(each.name, each.kind, each.needs, _speaks(each)) for each in self._runtime.services.values()]

    def endpoint(self, kind: str, name: str) -> Endpoint:
        """Return one service. `start` has waited for it."""
        return self._runtime.services[name]

    def own_server(self, kind: str, name: str, worker: str) -> Endpoint:
        """See `Source`. The launcher starts it."""
        if not self.control:
            return self.endpoint(kind, name)
        if name not in self._own:
            self.start()
            spec = next(each for each in load_manifest(os.environ[MANIFEST]).services if each.name == name)
            self._own_names[name] = f"{name}-{worker}"
            entry = {key: getattr(spec, key) for key in spec.__slots__} | {"name": self._own_names[name]}
            self._own[name] = endpoint_of(name, BlockingServiceControl(self.control).add(entry, ""))
        return self._own[name]

    def running_name(self, name: str) -> str:
        """See `Source`."""
        return self._own_names.get(name, name)

    def start(self) -> None:
        """Wait until all services serve: a test file that connects while it is imported must find them."""
        if self.control:
            BlockingServiceControl(self.control).wait()


def _speaks(endpoint: Endpoint) -> list[str]:
    # A database may have an http:// URL, too (ClickHouse), and is no server for an HTTP client.
    return protocols(endpoint.url, endpoint.websocket_url) if endpoint.kind == "executable" else []
