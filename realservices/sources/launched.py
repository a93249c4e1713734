"""Services that the launcher has started for this test action; it is told of by REALSERVICES_RUNTIME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.control.client import BlockingServiceControl
from realservices.sources.source import Declared, Source, protocols

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

    def start(self) -> None:
        """Wait until all services serve: a test file that connects while it is imported must find them."""
        if self.control:
            BlockingServiceControl(self.control).wait()


def _speaks(endpoint: Endpoint) -> list[str]:
    # A database may have an http:// URL, too (ClickHouse), and is no server for an HTTP client.
    return protocols(endpoint.url, endpoint.websocket_url) if endpoint.kind == "executable" else []
