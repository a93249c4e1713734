"""A database of a test's own, with real commits: where it is, in the forms that clients want."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from realservices.contract.url_forms import written_as

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


@dataclass(frozen=True, slots=True)
class MariaDBDatabase:
    """A database.

    Attributes:
        endpoint: The service, with this database instead of its own.
    """

    endpoint: Endpoint

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.endpoint.database)

    @property
    def url(self) -> str:
        """``mysql://user:password@host:port/name``."""
        return self.endpoint.url

    def url_for(self, form: str) -> str:
        """Return its address as a library wants it.

        Args:
            form: ``asyncmy``, ``aiomysql`` or ``pymysql`` (SQLAlchemy's ``mysql+…://``, also with that beginning),
                or ``jdbc``.

        Raises:
            ManifestError: There is no such form.
        """
        return written_as("url_for", form.removeprefix("mysql+"), asdict(self.endpoint))

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments for ``connect`` of PyMySQL, asyncmy and mysqlclient."""
        service = self.endpoint
        account = {"user": service.user, "password": service.password}
        return {"host": service.host, "port": service.port, **account, "database": self.name}

    async def connect(self, **arguments: Any) -> Any:
        """Return a new connection of asyncmy, which its user closes.

        Args:
            arguments: Further ones for `asyncmy.connect`.
        """
        from asyncmy import connect  # noqa: PLC0415 - for its users only

        return await connect(**self.parameters, **arguments)


def database_of(endpoint: Endpoint, name: str) -> MariaDBDatabase:
    """Return a database of a service."""
    url = endpoint.url.rpartition("/")[0] + f"/{name}"
    return MariaDBDatabase(replace(endpoint, database=name, url=url))
