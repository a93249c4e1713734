"""What a developer has set for other PostgreSQL servers changes no connection of a driver's."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy

from realservices.kinds.postgres.isolation.drivers import psycopg2_connections, psycopg_connections
from realservices.kinds.postgres.isolation.drivers.libpq import without_developers_variables
from tests.sources.developers_variables import POISON

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_ASK = "SELECT current_database() || ' ' || current_setting('DateStyle') || ' ' || current_setting('application_name')"


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (".pgpass", "passwords"):
        (tmp_path / path).write_text("*:*:*:*:wrong\n", "utf-8")
    (tmp_path / "poison").write_text("poison", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in POISON.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))


def _expected(lease: DatabaseLease) -> str:
    return f"{lease.clone.name} ISO, MDY "


def test_psycopg(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = psycopg_connections.connect(lease)
        assert connection.execute(_ASK).fetchone() == (_expected(lease),)
        psycopg_connections.release(connection)


async def test_psycopg_async(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = await psycopg_connections.connect_async(lease)
        assert await (await connection.execute(_ASK)).fetchone() == (_expected(lease),)
        psycopg_connections.release(connection)


def test_psycopg2(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = psycopg2_connections.connect(lease)
        cursor = connection.cursor()
        cursor.execute(_ASK)
        assert cursor.fetchone() == (_expected(lease),)
        psycopg2_connections.release(connection)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_engine(postgres: PostgresIsolation, driver: str) -> None:
    with (
        postgres.leases.lease() as lease,
        postgres.leases.engines.blocking(lease, driver) as engine,
        engine.connect() as connection,
    ):
        assert connection.scalar(sqlalchemy.text(_ASK)) == _expected(lease)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_engine_async(postgres: PostgresIsolation, driver: str) -> None:
    with postgres.leases.lease() as lease:
        engine, end = postgres.leases.engines.asynchronous(lease, driver, keep=True)
        async with engine.connect() as connection:
            value: Any = await connection.scalar(sqlalchemy.text(_ASK))
            assert value == _expected(lease)
        await end()


def test_code_under_test_has_its_variables_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_OWNER", "kept")
    before = dict(os.environ)
    with without_developers_variables():
        assert dict(os.environ) == before
    assert subprocess.check_output(["sh", "-c", "echo $PGSERVICE $PG_OWNER"], text=True) == "developer kept\n"
