"""The MariaDB fixtures: `isolated_mariadb` rolls back, `cloned_mariadb` is a database of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from realservices.fixtures.loops import enter_in_loop, outlive_loop
from realservices.fixtures.pytest_session import item_of, manager_of, required_service
from realservices.kinds.mariadb.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase
    from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation


@pytest.fixture
def isolated_mariadb(request: pytest.FixtureRequest) -> Any:
    """A connection of asyncmy within a transaction that is rolled back after the test.

    Code under test may begin transactions, commit and roll back as it likes. What commits by itself, DDL for instance,
    is refused: that is for `cloned_mariadb`.
    """
    return enter_in_loop(request, "isolated_mariadb", _isolation(request).transaction())


@pytest.fixture
def cloned_mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDBDatabase]:
    """A database of the test's own with real commits and a URL, for code that opens its connections itself."""
    outlive_loop(request)
    with _isolation(request).database() as database:
        yield database


@pytest.fixture
def mariadb_url(cloned_mariadb: MariaDBDatabase) -> str:
    """The URL of `cloned_mariadb`: ``mysql://user:password@host:port/name``."""
    return cloned_mariadb.url


def _isolation(request: pytest.FixtureRequest) -> MariaDBIsolation:
    from realservices.kinds.mariadb.isolated import mariadb_of  # noqa: PLC0415 - with it comes asyncio, for its users only

    endpoint = required_service(item_of(request), KIND.name)
    return mariadb_of(manager_of(request.config), endpoint.name)
