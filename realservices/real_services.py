"""Whether all services are there: `get_real_services().ensure_all_services_available()`, in a test or in a script.

A script that runs without a launcher is a session of its own: the services that it starts end with it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.isolation.isolated_kind import is_isolated, isolated_kind
from realservices.isolation.isolation_manager import process_manager
from realservices.sources.errors import MissingServiceError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services
    from realservices.sources.source import Declared

_PROBE_TIMEOUT_S = 10.0


class ServicesUnavailableError(RealServicesError):
    """Services that do not serve.

    Args:
        failed: Why, by name.
    """

    def __init__(self, failed: dict[str, str]) -> None:
        lines = "".join(f"\n  {name}: {reason}" for name, reason in failed.items())
        super().__init__(f"{len(failed)} of the services are not available:{lines}")
        self.failed = failed


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service.

    Attributes:
        name, kind: Which one.
        is_available: Whether it answers.
        reason: Why it does not, with what to do.
        address: Host and port.
        elapsed_ms: How long it took to start it, where need be, and to ask it.
    """

    name: str
    kind: str
    is_available: bool
    reason: str = ""
    address: str = ""
    elapsed_ms: float = 0.0


class RealServices:
    """The services of this process, from whatever source.

    Args:
        services: The services.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    async def check(self) -> dict[str, ServiceHealth]:
        """Start what does not run yet, ask every service, and return by name how it is."""
        found = await asyncio.gather(*(self._check(declared) for declared in self.services.declared()))
        return {health.name: health for health in found}

    async def ensure_all_services_available(self) -> dict[str, ServiceHealth]:
        """Like `check`, but insist.

        A service that is not declared may lack its programs, as long as another one is available.

        Raises:
            ServicesUnavailableError: A service does not answer.
        """
        health = await self.check()
        optional = {declared.name for declared in self.services.declared() if declared.is_default}
        failed = {each.name: each.reason for each in health.values() if not each.is_available}
        wanted = {name: reason for name, reason in failed.items() if name not in optional}
        if wanted or len(failed) == len(health):
            raise ServicesUnavailableError(wanted or failed or {"all": "there is none that anybody has declared"})
        return health

    def endpoint(self, kind: str, name: str | None = None) -> Endpoint:
        """Return where a service is, when it serves: the named one, else the first of its kind."""
        return self.services.endpoint(kind, name)

    async def _check(self, declared: Declared) -> ServiceHealth:
        begin = time.monotonic()
        address = ""
        try:
            endpoint = await asyncio.to_thread(self.services.endpoint, declared.kind, declared.name)
            address = f"{endpoint.host}:{endpoint.port}"
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                await _ask(endpoint)
        except (MissingServiceError, RealServicesError) as error:
            reason = str(error)
        except TimeoutError:
            reason = f"{declared.kind} at {address} does not answer within {_PROBE_TIMEOUT_S:.0f} s"
        except ImportError as error:
            reason = f"{error}: run `pip install 'rules-realservices[{declared.kind}]'`"
        except Exception as error:  # noqa: BLE001 - whatever a client library raises is the answer to the question
            reason = f"{declared.kind} at {address}: {type(error).__name__}: {error}"
        else:
            reason = ""
        elapsed_ms = (time.monotonic() - begin) * 1000
        return ServiceHealth(declared.name, declared.kind, not reason, reason, address, elapsed_ms)


def get_real_services() -> RealServices:
    """Return this process's services."""
    return RealServices(process_manager().services)


async def _ask(endpoint: Endpoint) -> None:
    if is_isolated(endpoint.kind):
        await isolated_kind(endpoint.kind).ask(endpoint)
    elif endpoint.port:
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.close()
        await writer.wait_closed()
