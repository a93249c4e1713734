"""The database for programs that one worker of pytest-xdist has for itself: a copy of the service's template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.databases import copy_database, copy_properties
from realservices.kinds.postgres.isolation.administration import Administration

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


async def make_worker_database(endpoint: Endpoint, name: str) -> None:
    """Make it. It ends with the server.

    Raises:
        IsolationError: The server does not serve, or refuses it.
    """
    template = endpoint.template_database
    administration = Administration(endpoint)
    try:
        await administration.execute(copy_database(template, name, endpoint.server_version_num))
        await administration.execute(copy_properties(template, name))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise IsolationError(
            f"cannot make database {name!r} for this worker of pytest-xdist on service {endpoint.name!r} "
            f"({endpoint.label}): {type(error).__name__}: {error}; the service's log is {endpoint.log or 'not known'}"
        ) from error
    finally:
        await administration.close(finish=True)
