"""A template tells what its schema does by itself; its databases are asked only where something was written since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.kinds.postgres.isolation import isolation
from realservices.kinds.postgres.isolation.administration import Administration
from realservices.kinds.postgres.isolation.traits import TOLD, Traits, told_traits, traits_of
from realservices.kinds.postgres.traits_query import traits_query

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


@pytest.fixture
def nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every question for a database's traits fail."""

    async def refuse(_: object) -> Traits:
        raise AssertionError("asked")

    monkeypatch.setattr(isolation, "_asked_traits", refuse)


# The first test of the server's: nothing was written there before.
async def test_nobody_asks_a_database(nobody_asks: None, isolated_database: Any, postgres_endpoint: Endpoint) -> None:
    administration = Administration(postgres_endpoint)
    (row,) = await administration.fetch(TOLD)
    told = told_traits(row["told"], int(row["told"].partition("\n")[0]))
    assert told == traits_of(await isolated_database.fetchval(traits_query(postgres_endpoint.server_version_num)))
    assert told.hanging.writes
    assert "head" in told.clock.tables
    await administration.close(finish=True)


async def test_after_a_change_it_is_asked(postgres_endpoint: Endpoint) -> None:
    administration = Administration(postgres_endpoint)
    await administration.execute("CREATE TABLE of_a_program (a int)")
    (row,) = await administration.fetch(TOLD)
    assert row["told"]
    assert told_traits(row["told"], row["next"]) is None
    await administration.execute("DROP TABLE of_a_program")
    await administration.close(finish=True)


async def test_a_server_without_a_template_tells_nothing() -> None:
    assert told_traits(None, 7) is None


async def test_the_next_test_knows_them_still(isolated_database: asyncpg.Connection) -> None:
    assert await isolated_database.fetchval("SELECT 1") == 1
