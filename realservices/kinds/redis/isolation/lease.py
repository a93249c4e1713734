"""A test's share of a Redis server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.kinds.redis.isolation.libraries import LoadedLibraries


@dataclass(frozen=True, slots=True)
class RedisLease:
    """A test's share of a Redis server.

    Attributes:
        endpoint: The service.
        database_index: Which database it is.
        user: The account of the URL, which may select this index only.
        client_user: The account of the fixtures' clients, whose connections outlive the test.
        password: Both accounts'.
        is_guarded: The account is the service's own, and only the fixtures' clients themselves refuse what reaches
            beyond the database.
        libraries: What the fixtures' clients have loaded.
    """

    endpoint: Endpoint
    database_index: int
    user: str
    client_user: str
    password: str
    libraries: LoadedLibraries = field(compare=False, repr=False)
    is_guarded: bool = False

    @property
    def url(self) -> str:
        """The URL for code under test: over TCP, with account and database index."""
        account = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{account}{self.endpoint.host}:{self.endpoint.port}/{self.database_index}"
