"""The MariaDB fixtures: `isolated_mariadb` rolls back, `cloned_mariadb` is a database of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from realservices.fixtures.loops import enter_in_loop, outlive_loop
from realservices.fixtures.pytest_session import isolation_for
from realservices.kinds.mariadb.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


@pytest.fixture
def isolated_mariadb(request: pytest.FixtureRequest) -> Any:
    """A connection of asyncmy within a transaction that is rolled back after the test.

    Code under test may begin transactions, commit and roll back as it likes. What commits by itself, DDL for instance,
    is refused: that is for `cloned_mariadb`.
    """
    return enter_in_loop(request, "isolated_mariadb", isolation_for(request, KIND.name).transaction())


@pytest.fixture
def cloned_mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDBDatabase]:
    """A database of the test's own with real commits and a URL, for code that opens its connections itself."""
    outlive_loop(request)
    with isolation_for(request, KIND.name).database() as database:
        yield database


@pytest.fixture
def mariadb_url(cloned_mariadb: MariaDBDatabase) -> str:
    """The URL of `cloned_mariadb`: ``mysql://user:password@host:port/name``."""
    return cloned_mariadb.url
