"""Clones that the template brings along."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import asyncpg
import pytest

from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.sources.services import Services


def test_each_is_given_once_whoever_asks(postgres_endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint = dataclasses.replace(postgres_endpoint, ready_databases=("a", "b", "c"))
    one, other = ReadyDatabases(endpoint, str(tmp_path)), ReadyDatabases(endpoint, str(tmp_path))
    assert [one.take(), other.take(), one.take(), other.take(), one.take()] == ["a", "b", "c", None, None]


def test_services_do_not_take_each_others(postgres_endpoint: Endpoint, tmp_path: Path) -> None:
    for name in ("orders", "users"):
        endpoint = dataclasses.replace(postgres_endpoint, name=name, ready_databases=("a",))
        assert ReadyDatabases(endpoint, str(tmp_path)).take() == "a"


async def test_they_have_the_templates_schema(postgres_endpoint: Endpoint, services: Services) -> None:
    name = ReadyDatabases(postgres_endpoint, services.private).take()
    if name is None:
        pytest.skip("other tests of this session have used them all")
    schemas = set()
    for database in (str(postgres_endpoint.database), name):
        connection = await asyncpg.connect(**Clone(postgres_endpoint, database).connect_kwargs)
        schemas.add(await connection.fetchval("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class"))
        await connection.close()
    assert len(schemas) == 1


def test_a_template_brings_some_along(postgres_endpoint: Endpoint) -> None:
    assert postgres_endpoint.ready_databases
