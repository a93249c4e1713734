"""The face of each driver, and a schema that every test begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.sources.services import find_services
from tests.isolation.postgres.drivers.faces import FACES, Face

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMA = """
    CREATE TYPE mood AS ENUM ('sad', 'fine');
    CREATE TABLE note (id serial PRIMARY KEY, text text NOT NULL UNIQUE, of int,
        CONSTRAINT known FOREIGN KEY (of) REFERENCES note DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE feeling (mood mood);
    CREATE PROCEDURE note_twice() LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO note (text) VALUES ('one'); COMMIT; INSERT INTO note (text) VALUES ('two'); ROLLBACK; END $$;
    INSERT INTO note (text) VALUES ('first')
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of ``face`` with every driver."""
    if "face" in metafunc.fixturenames:
        marks = {
            name: [pytest.mark.realservices(driver=driver)] if driver else [] for name, (*_, driver) in FACES.items()
        }
        every = [pytest.param(name, id=name, marks=marks[name]) for name in FACES]
        metafunc.parametrize("face", every, indirect=True)


@pytest.fixture(scope="session")
def schema(cloned_database_session: Any) -> None:
    """Tables that are there at the beginning of each test, so that a test's database can be restored."""
    cloned_database_session.connect_sync().execute(SCHEMA)


@pytest.fixture
def face(request: pytest.FixtureRequest, schema: None) -> Face:
    """The test's database, by one driver."""
    kind, fixtures, _ = FACES[request.param]
    return kind([request.getfixturevalue(fixture) for fixture in fixtures][-1])


@pytest.fixture
async def other(face: Face) -> AsyncIterator[Any]:
    """A connection of somebody else to the same database."""
    endpoint = find_services().endpoint("postgres")
    connection = await asyncpg.connect(**connect_kwargs(endpoint, await face.value("SELECT current_database()")))
    yield connection
    await connection.close()
