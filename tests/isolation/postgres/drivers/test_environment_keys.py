"""An environment's clients by other drivers share a database with ``database``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from realservices.isolation.errors import IsolationError
from realservices.isolation.test_environment import TestEnvironment
from realservices.kinds.postgres.drivers import DRIVERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realservices.isolation.isolation_manager import IsolationManager

from realservices.isolation.isolation_manager import process_manager

_COUNT = "SELECT count(*) FROM mine"
_COPIES = pytest.mark.parametrize("copy", range(2))


@pytest.fixture
def manager() -> IsolationManager:
    """The session's."""
    return process_manager()


@pytest.fixture
async def environment(manager: IsolationManager) -> AsyncIterator[TestEnvironment]:
    """An environment, as a fixture of the plugin's gives it."""
    async with TestEnvironment(manager, "a test", keep=True) as environment:
        yield environment


def test_every_key_is_there_where_its_packages_are(environment: TestEnvironment) -> None:
    assert [key for key in environment if key in DRIVERS] == list(DRIVERS)


@_COPIES
async def test_all_clients_share_one_database(environment: TestEnvironment, copy: int) -> None:
    environment["session"].execute(text("CREATE TABLE mine (id int)"))
    environment["session"].execute(text("INSERT INTO mine VALUES (1)"))
    environment["session"].commit()
    assert await environment["database"].fetchval(_COUNT) == 1
    assert environment["psycopg"].execute(_COUNT).fetchone() == (1,)
    assert await (await environment["psycopg_async"].execute(_COUNT)).fetchone() == (1,)
    with environment["psycopg2"].cursor() as cursor:
        cursor.execute(_COUNT)
        assert cursor.fetchone() == (1,)
    with environment["engine"].connect() as connection:
        assert connection.scalar(text(_COUNT)) == 1
    async with environment["engine_async"].connect() as connection:
        assert await connection.scalar(text(_COUNT)) == 1
    assert await environment["session_async"].scalar(text(_COUNT)) == 1


async def test_a_key_may_be_asked_for_before_the_first_statement(environment: TestEnvironment) -> None:
    database = environment["database"]
    session = environment["session"]
    await database.execute("CREATE TABLE mine (id int)")
    assert session.scalar(text(_COUNT)) == 0


async def test_a_key_that_comes_too_late_is_refused(environment: TestEnvironment) -> None:
    assert await environment["database"].fetchval("SELECT 1") == 1
    with pytest.raises(IsolationError, match=r"a test: environment\['database'\] has sent its first statement"):
        environment["session"]


async def test_clients_end_with_the_environment(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "a test", keep=True) as environment:
        connection = environment["psycopg"]
        session = environment["session"]
        engine = environment["engine"]
    assert connection.closed
    with pytest.raises(IsolationError, match=r"this environment\['engine'\] belongs to a test that has ended"):
        engine.connect()
    with pytest.raises(IsolationError, match=r"this environment\['session'\] belongs to a test that has ended"):
        session.connection()
