"""External services, named by TEST_<KIND>_HOST: service containers of a CI job, for instance.

They outlive the session and others may use them at the same time, so they are used and never damaged: an endpoint from
here is not disposable, and isolation keeps to databases and numbers of its own.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realservices.contract.runtime import Endpoint
from realservices.sources.declared_kind import declared_kind
from realservices.sources.errors import SettingError, UnreachableServiceError
from realservices.sources.external_address import label_of
from realservices.sources.source import Declared, Source
from realservices.sources.variables import external_kinds, variable_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONNECT_TIMEOUT_S = 5.0
_BY_URL = ("http", "websocket", "llm")
_URL_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class ExternalServices(Source):
    """External services.

    Args:
        names: What the project calls its services, by kind; without a name a service is called by its kind.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._declared = names
        self._kinds = external_kinds()
        self._endpoints: dict[str, Endpoint] = {}

    def declared(self) -> list[Declared]:
        """Return the one service of each kind that there can be."""
        named = [([*self._declared.get(kind, ()), kind][0], kind) for kind in self._kinds]
        return [Declared(name, kind, speaks=[kind] if kind in _BY_URL else []) for name, kind in named]

    def endpoint(self, kind: str, name: str) -> Endpoint:
        """Return it if something listens there.

        Raises:
            SettingError: A variable does not say what it should.
            UnreachableServiceError: Nothing listens.
        """
        if kind not in self._endpoints:
            endpoint = external_endpoint(kind, name)
            self._endpoints[kind] = _reach(endpoint)
        return self._endpoints[kind]


def external_endpoint(kind: str, name: str) -> Endpoint:
    """Return what the variables of a kind say.

    Raises:
        SettingError: One of them does not say what it should.
    """
    return _by_url(kind, name) if kind in _BY_URL else declared_kind(kind).external(name)


def _by_url(kind: str, name: str) -> Endpoint:
    variable = variable_of(kind)
    url = os.environ[variable]
    schemes = ("ws", "wss") if kind == "websocket" else ("http", "https")
    try:
        parts = urlsplit(url)
        port = parts.port or _URL_PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in schemes or not parts.hostname:
        raise SettingError(f"{variable}={url!r} is no URL of this kind; write {schemes[0]}://HOST:PORT/…")
    websocket_url = url if kind == "websocket" else ""
    return Endpoint(
        name, kind, label_of(kind), parts.hostname, port, "", url,
        ports={kind: port}, websocket_url=websocket_url, disposable=False,
    )  # fmt: skip


def _reach(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint as its server wants to be spoken to."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _CONNECT_TIMEOUT_S) as connection:
            return endpoint if endpoint.kind in _BY_URL else declared_kind(endpoint.kind).agreed(endpoint, connection)
    except (OSError, UnicodeError) as error:  # The latter: no host can have such a name.
        variable = variable_of(endpoint.kind)
        reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
        raise UnreachableServiceError(
            f"{variable} names a {endpoint.kind} service at {endpoint.host}:{endpoint.port}, and it cannot be "
            f"reached: {reason}. Start it and wait until it is healthy (docker compose up --wait, or a health check of "
            f"the CI job's service container), correct {variable} and its PORT, or unset {variable} to let the session "
            "start a service of its own"
        ) from None
