"""What every origin of services gives to those who use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.contract.runtime import Endpoint

# The convention of OpenAI-compatible APIs, and how one is told from other HTTP services: its URL ends in the version.
_LLM_PATH = "/v1"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a service before it runs.

    Attributes:
        name: The service's name.
        kind: Its kind.
        needs: Names of the services that it needs directly.
        speaks: What a test can speak with it, if it is no database: of ``http``, ``websocket`` and ``llm``.
        is_default: It is not declared; it is there for who wants it.
    """

    name: str
    kind: str
    needs: Sequence[str] = ()
    speaks: Sequence[str] = ()
    is_default: bool = False


def protocols(url: str, websocket_url: str) -> list[str]:
    """Return what a service of these URLs speaks. They may still have references to ports in them."""
    scheme, _, rest = url.partition("://")
    found = ["http"] if scheme in ("http", "https") else []
    if found and rest.rstrip("/").endswith(_LLM_PATH):
        found.append("llm")
    return [*found, "websocket"] if websocket_url else found


class Source:
    """Base of all origins. An attribute that an origin cannot fill stays empty.

    Attributes:
        label: The test target that declares the services.
        control: Path of a control socket. Empty: there is none.
        sandbox: Directory for the files of this test process and its workers. Empty: pytest's own serves.
        private: Directory that all processes of this test share, and no other one, for locks.
        isolation: ``transaction`` or ``database``: what ``isolated_database`` is.
        launched: Services that ran before this process, which its variables name; by name, in the order of declaration.
    """

    label = ""
    control = ""
    sandbox = ""
    private = ""
    isolation = "transaction"
    launched: Mapping[str, Endpoint] = {}

    def declared(self) -> list[Declared]:
        """Return what is known of every service, in the order of declaration. It starts nothing."""
        raise NotImplementedError

    def names(self, kind: str) -> list[str]:
        """Return the names of the services of a kind, in the order of declaration. It starts nothing."""
        return [service.name for service in self.declared() if service.kind == kind]

    def is_had(self, kind: str) -> bool:
        """Return whether there is what services of a kind need. It starts nothing."""
        return bool(self.names(kind))

    def endpoint(self, kind: str, name: str) -> Endpoint:
        """Return one of those services when it serves.

        Raises:
            RealServicesError: It does not.
        """
        raise NotImplementedError

    def own_server(self, kind: str, name: str, worker: str) -> Endpoint:
        """Return a server of the same declaration that one worker of pytest-xdist has for itself.

        An origin that starts no servers returns the one that all have.

        Raises:
            RealServicesError: It does not serve.
        """
        return self.endpoint(kind, name)

    def running_name(self, name: str) -> str:
        """Return what the process that runs the services calls the server that this process has of a service."""
        return name

    def start(self) -> None:
        """Do what must be done before the first conftest.py is imported."""

    def close(self) -> None:
        """End this process's use of the origin."""
