"""Databases that admit nobody but who is in them already, while a test has its transaction there.

What another client committed there would stay for the tests after it: no transaction of a test's undoes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.postgres.isolation.administration import quote_identifier
from realservices.kinds.postgres.isolation.restore.pristine import RESTORER

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.kinds.postgres.isolation.administration import Administration

_ADMIT = "ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}"
_OTHERS = """SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'
    AND pid <> ALL ($2::text::int[]) AND application_name IS DISTINCT FROM $3"""


class Doors:
    """Those of one process's databases.

    Args:
        administration: To another database, as their owner.
    """

    def __init__(self, administration: Administration) -> None:
        self._administration = administration
        self._closed: set[str] = set()

    def are_closed(self, name: str) -> bool:
        """Return whether a database admits nobody, from any thread."""
        return name in self._closed

    async def close(self, name: str, own: Collection[int]) -> bool:
        """Have a database admit nobody; return whether only backends with the process ids ``own`` are there."""
        await self._administration.execute(_ADMIT.format(quote_identifier(name), "false"))
        self._closed.add(name)
        return not await self._administration.fetch(_OTHERS, name, "{" + ",".join(map(str, own)) + "}", RESTORER)

    async def open(self, name: str) -> None:
        """Have a database admit others again."""
        if name in self._closed:
            await self._administration.execute(_ADMIT.format(quote_identifier(name), "true"))
            self._closed.discard(name)
