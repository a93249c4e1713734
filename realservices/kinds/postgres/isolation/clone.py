"""A database of a test's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from realservices.kinds.postgres.isolation.administration import connect_kwargs

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


@dataclass(frozen=True, slots=True)
class Clone:
    """A database of its own on a service.

    Attributes:
        endpoint: The service.
        name: The database's name.
    """

    endpoint: Endpoint
    name: str

    @property
    def url(self) -> str:
        """The URL for programs: over TCP, with the password."""
        service = self.endpoint
        account = f"{quote(service.user, safe='')}:{quote(service.password, safe='')}"
        address = urlsplit(service.url)._replace(
            netloc=f"{account}@{service.host}:{service.port}", path=f"/{quote(self.name, safe='')}"
        )
        return address.geturl()

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Arguments for `asyncpg.connect`: over the unix socket where there is one."""
        return connect_kwargs(self.endpoint, self.name)
