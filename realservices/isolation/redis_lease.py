"""A test's share of a Redis server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


@dataclass(frozen=True, slots=True)
class RedisLease:
    """A test's share of a Redis server.

    Attributes:
        endpoint: The service.
        number: The database's number.
        user: The account of the URL, which may select this number only.
        client_user: The account of the fixtures' clients, whose connections outlive the test.
        password: Both accounts'.
    """

    endpoint: Endpoint
    number: int
    user: str
    client_user: str
    password: str

    @property
    def url(self) -> str:
        """The URL for code under test: over TCP, with account and number."""
        return f"redis://{self.user}:{self.password}@{self.endpoint.host}:{self.endpoint.port}/{self.number}"
