"""Rows in two of a server's ten tables and three of its Redis keys, which are restored after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from realservices.fixtures.pytest_session import manager_of


@pytest.fixture
def servers(pytestconfig: pytest.Config) -> Iterator[None]:
    """Do around a test what the environment fixtures do for tests that speak with a server."""
    state = manager_of(pytestconfig).servers
    assert sorted(state.names) == ["cache", "small"]
    state.enter()
    yield
    state.leave()


async def test_servers(number: int, servers: None, written_by_server: Any) -> None:
    """Write as the server would, and see that nothing of earlier tests is left."""
    assert await written_by_server(number) == 1
