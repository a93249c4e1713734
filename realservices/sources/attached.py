"""Services that somebody else runs, named by TEST_<KIND>_HOST: service containers of a CI job, for instance.

They outlive the session and others may use them at the same time, so they are used and never damaged: an endpoint from
here is not disposable, and isolation keeps to databases and numbers of its own.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from realservices.contract.errors import ManifestError
from realservices.contract.numbers import number_from
from realservices.contract.runtime import Endpoint
from realservices.sources.attached_tls import PREFER, SSLMODE, SSLROOTCERT, agreed, postgres_tls
from realservices.sources.errors import SettingError, UnreachableServiceError
from realservices.sources.source import Declared, Source
from realservices.sources.variables import VARIABLES, attached_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONNECT_TIMEOUT_S = 5.0
_BY_URL = ("http", "websocket", "llm")
_URL_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class AttachedServices(Source):
    """Services of others.

    Args:
        names: What the project calls its services, by kind; without a name a service is called by its kind.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._declared = names
        self._kinds = attached_kinds()
        self._endpoints: dict[str, Endpoint] = {}

    def declared(self) -> list[Declared]:
        """Return the one service of each kind that there can be."""
        named = [([*self._declared.get(kind, ()), kind][0], kind) for kind in self._kinds]
        return [Declared(name, kind, speaks=[kind] if kind in _BY_URL else []) for name, kind in named]

    def endpoint(self, kind: str, name: str) -> Endpoint:
        """Return it if somebody listens there.

        Raises:
            SettingError: A variable does not say what it should.
            UnreachableServiceError: Nobody listens.
        """
        if kind not in self._endpoints:
            endpoint = attached_endpoint(kind, name)
            self._endpoints[kind] = _reach(endpoint)
        return self._endpoints[kind]


def attached_endpoint(kind: str, name: str) -> Endpoint:
    """Return what the variables of a kind say.

    Raises:
        SettingError: One of them does not say what it should.
    """
    makers = {"postgres": _postgres, "redis": _redis, "clickhouse": _clickhouse}
    return makers[kind](name) if kind in makers else _by_url(kind, name)


def _postgres(name: str) -> Endpoint:
    host, port = os.environ["TEST_POSTGRES_HOST"], _port("TEST_POSTGRES_PORT", 5432)
    user = os.environ.get("TEST_POSTGRES_USER") or "postgres"
    password = os.environ.get("TEST_POSTGRES_PASSWORD", "")
    database = os.environ.get("TEST_POSTGRES_DB") or user
    sslmode, sslrootcert = postgres_tls()
    given = {"sslmode": os.environ.get(SSLMODE), "sslrootcert": os.environ.get(SSLROOTCERT)}
    query = urlencode({key: value for key, value in given.items() if value})
    address = f"postgresql://{_account(user, password)}{_in_url(host)}:{port}/{quote(database, safe='')}"
    return Endpoint(
        name, "postgres", _label("postgres"), host, port, password, f"{address}?{query}" if query else address,
        user=user, database=database, ports={"postgres": port}, disposable=False,
        sslmode=sslmode, sslrootcert=sslrootcert,
    )  # fmt: skip


def _redis(name: str) -> Endpoint:
    host, port = os.environ["TEST_REDIS_HOST"], _port("TEST_REDIS_PORT", 6379)
    password = os.environ.get("TEST_REDIS_PASSWORD", "")
    url = f"redis://{_account('', password)}{_in_url(host)}:{port}/0"
    return Endpoint(
        name, "redis", _label("redis"), host, port, password, url, database=0, ports={"redis": port}, disposable=False
    )


def _clickhouse(name: str) -> Endpoint:
    host = os.environ["TEST_CLICKHOUSE_HOST"]
    ports = {"http": _port("TEST_CLICKHOUSE_HTTP_PORT", 8123), "tcp": _port("TEST_CLICKHOUSE_TCP_PORT", 9000)}
    user = os.environ.get("TEST_CLICKHOUSE_USER") or "default"
    password = os.environ.get("TEST_CLICKHOUSE_PASSWORD", "")
    database = os.environ.get("TEST_CLICKHOUSE_DB") or "default"
    url = f"http://{_account(user, password)}{_in_url(host)}:{ports['http']}/{quote(database, safe='')}"
    return Endpoint(
        name, "clickhouse", _label("clickhouse"), host, ports["http"], password, url,
        user=user, database=database, ports=ports, disposable=False,
    )  # fmt: skip


def _by_url(kind: str, name: str) -> Endpoint:
    variable = VARIABLES[kind]
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
        name, kind, _label(kind), parts.hostname, port, "", url,
        ports={kind: port}, websocket_url=websocket_url, disposable=False,
    )  # fmt: skip


def _reach(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint as its server wants to be spoken to."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _CONNECT_TIMEOUT_S) as connection:
            if endpoint.sslmode != PREFER:
                return endpoint
            return dataclasses.replace(endpoint, sslmode=agreed(connection))
    except (OSError, UnicodeError) as error:  # The latter: no host can have such a name.
        variable = VARIABLES[endpoint.kind]
        reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
        raise UnreachableServiceError(
            f"{variable} names a {endpoint.kind} service at {endpoint.host}:{endpoint.port}, and it cannot be "
            f"reached: {reason}. Start it and wait until it is healthy (docker compose up --wait, or a health check of "
            f"the CI job's service container), correct {variable} and its PORT, or unset {variable} to let the session "
            "start a service of its own"
        ) from None


def _port(variable: str, default: int) -> int:
    try:
        return number_from(variable, default, 1, 65535)
    except ManifestError as error:
        raise SettingError(f"{error}; it is a port") from None


def _label(kind: str) -> str:
    return f"${VARIABLES[kind]}"


def _account(user: str, password: str) -> str:
    if not (user or password):
        return ""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{quote(user, safe='')}{secret}@"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
