"""The target's own MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """The service."""
    from realservices.fixtures.pytest_session import manager_of  # noqa: PLC0415

    return manager_of(request.config).services.endpoint("mariadb")
