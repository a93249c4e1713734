"""Programs of two workers of pytest-xdist, which run these tests at the same time (--dist=each), have databases of their own."""

from __future__ import annotations

import os
from typing import Any

import clickhouse_connect
import pymysql
import pytest

from tests.sources.meeting import meet


def _mariadb() -> Any:
    account = {"user": os.environ["TEST_MARIADB_USER"], "password": os.environ["TEST_MARIADB_PASSWORD"]}
    host, port = os.environ["TEST_MARIADB_HOST"], int(os.environ["TEST_MARIADB_PORT"])
    return pymysql.connect(host=host, port=port, database=os.environ["TEST_MARIADB_DB"], autocommit=True, **account)


def test_mariadb(worker_id: str) -> None:
    with _mariadb() as program, program.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers")
        assert cursor.fetchone() == (2,), "the rows of the seeds"
        meet(worker_id, "mariadb")
        cursor.execute("INSERT INTO customers (id, name) VALUES (77, %s)", (worker_id,))
        meet(worker_id, "mariadb.written")
        cursor.execute("SELECT name FROM customers WHERE id = 77")
        assert cursor.fetchall() == ((worker_id,),)
    assert os.environ["MARIADB_URL"].endswith(f"/{os.environ['TEST_MARIADB_DB']}")


def test_clickhouse(worker_id: str) -> None:
    with clickhouse_connect.get_client(dsn=os.environ["CLICKHOUSE_URL"]) as program:
        assert program.query("SELECT count() FROM users").result_rows == [(2,)], "the rows of the seeds"
        meet(worker_id, "clickhouse")
        program.command("INSERT INTO users (id, name) VALUES (77, {name:String})", {"name": worker_id})
        meet(worker_id, "clickhouse.written")
        assert program.query("SELECT name FROM users WHERE id = 77").result_rows == [(worker_id,)]
    assert os.environ["CLICKHOUSE_URL"].endswith(f"/{os.environ['TEST_CLICKHOUSE_DB']}")


@pytest.mark.parametrize("n", range(3))
async def test_tests_have_others(isolated_clickhouse: Any, isolated_mariadb: Any, n: int) -> None:
    assert await isolated_clickhouse.execute("SELECT count() FROM users") == [(2,)]
    async with isolated_mariadb.cursor() as cursor:
        await cursor.execute("SELECT count(*) FROM customers")
        assert await cursor.fetchone() == (2,)
