"""A connection behaves as PostgreSQL gives it, whether a test's transaction is around it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.isolation.postgres.behaviour import BEHAVIOURS, Behaviour
from tests.isolation.postgres.ways import WAYS, answer, connected, new_isolation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation


@pytest.fixture(scope="module")
def isolation() -> Iterator[PostgresIsolation]:
    with new_isolation(2 * len(BEHAVIOURS)) as isolation:
        yield isolation


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
async def test_behaviour(isolation: PostgresIsolation, behaviour: Behaviour, way: str) -> None:
    async with connected(isolation, way) as connection:
        answers = [await answer(connection, statement) for statement in behaviour.statements]
    assert answers[-1] == behaviour.answer, answers
