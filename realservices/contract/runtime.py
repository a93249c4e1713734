"""The runtime description: where a running test's services are. The launcher writes it, the test's side reads it.

It is a JSON file in the launcher's private directory; ``REALSERVICES_RUNTIME`` names it. Only the test's side imports
this module: the launcher builds the same JSON from its services' endpoints and does without dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from realservices.contract.endpoint_shapes import ENDPOINT, RUNTIME
from realservices.contract.errors import ManifestError
from realservices.contract.shapes import check, load_json, shown
from realservices.kinds.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service, as a client needs it.

    Attributes:
        name: The service's name within its test.
        kind: The name of a folder of realservices/kinds, or of a project's own kind.
        label: The Bazel label that declares it, for messages.
        host, port, user, password, database, url: How a program reaches it over TCP.
        socket: PostgreSQL: directory of the unix socket; Redis: its path. Empty: there is none.
        template_database: PostgreSQL: what databases are cloned from; nobody may connect to it.
        ready_databases: PostgreSQL, ClickHouse: clones that were made beforehand; each may be used once.
        server_version_num: PostgreSQL: as the server's setting of that name, 180006 for 18.6.
        http_port, tcp_port: ClickHouse: where it speaks HTTP (`port`, too) and its native protocol.
        template_info: ClickHouse: path of the JSON that says how a database like the service's own is made.
        databases: Redis: how many numbered databases the server has.
        log: Path of the service's log.
        ports: All of its ports by name; `port` is the first one. A service may have none: then `port` is 0.
        needs: Names of the services that it needs directly.
        websocket_url: Where it speaks WebSocket. Empty: nowhere.
        health_url: What it was asked for readiness by HTTP. Empty: it was asked in another way.
        disposable: The server ends with this session, so that nothing in it needs clearing.
        sslmode, sslrootcert: PostgreSQL of others: libpq's parameters of these names.
        package: Where the kind is, if it is a project's own: a package of Python's.
    """

    name: str
    kind: str
    label: str
    host: str
    port: int
    password: str
    url: str
    user: str = ""
    database: str | int = ""
    socket: str = ""
    template_database: str = ""
    ready_databases: Sequence[str] = ()
    server_version_num: int = 0
    http_port: int = 0
    tcp_port: int = 0
    template_info: str = ""
    databases: int = 0
    log: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    needs: Sequence[str] = ()
    websocket_url: str = ""
    health_url: str = ""
    disposable: bool = True
    sslmode: str = "disable"
    sslrootcert: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """All that a test program can know about its services.

    Attributes:
        label: The test target.
        control: Path of the launcher's control socket. Empty: there is none.
        sandbox: Directory for the files of this test process and its workers.
        isolation: ``transaction`` or ``database``: what ``isolated_database`` is.
        services: Endpoints by name, in the order of declaration.
        private: Directory that all processes of this test share, and no other one, for locks.
    """

    label: str
    control: str
    sandbox: str
    isolation: str
    services: Mapping[str, Endpoint]
    private: str

    def of_kind(self, kind: str) -> list[Endpoint]:
        """Return the services of ``kind``, in the order of declaration."""
        return [endpoint for endpoint in self.services.values() if endpoint.kind == kind]


def load_runtime(path: str) -> Runtime:
    """Read a runtime description.

    Raises:
        ManifestError: It is missing, damaged, or of another version.
    """
    try:
        with open(path, "rb") as file:
            content = load_json(file.read())
        check(content, {"version": object})
        if content["version"] != VERSION:
            raise ManifestError(
                f"runtime description {path} has version {shown(content['version'])}, this package reads "
                f"version {VERSION}: launcher and plugin come from different releases of rules_realservices"
            )
        check(content, RUNTIME)
        return Runtime(
            label=content["label"],
            control=content["control"],
            sandbox=content["sandbox"],
            isolation=content["isolation"],
            services={name: endpoint_of(name, entry) for name, entry in content["services"].items()},
            private=content["private"],
        )
    except OSError as error:
        raise ManifestError(
            f"cannot read runtime description {path}: {error.strerror}; REALSERVICES_RUNTIME is set by the launcher "
            "and its file ends with the launcher: unset the variable to run without it"
        ) from None
    except ValueError as error:
        raise ManifestError(
            f"runtime description {path} is damaged: {error}; it is written by the launcher, not by hand"
        ) from None


def endpoint_of(name: str, entry: dict[str, Any]) -> Endpoint:
    """Return a service's entry of a runtime description as an endpoint.

    Raises:
        ShapeError: Something is lacking, or is not what it should be.
        ManifestError: The kind is a project's own, and cannot be imported.
    """
    check(entry, ENDPOINT)
    if entry.get("package"):
        register(entry["kind"], entry["package"])
    # A newer launcher may say more than this package knows.
    known = {each.name for each in fields(Endpoint)}
    return Endpoint(**{"name": name, **{key: value for key, value in entry.items() if key in known}})
