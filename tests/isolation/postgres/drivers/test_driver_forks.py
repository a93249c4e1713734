"""In a forked child blocking drivers work or are refused at once, and the child's end does its parent no harm."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tests.isolation.forks import in_child, in_process

# Python 3.12 and later warn of a fork where threads run, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
_ENGINES = pytest.mark.parametrize(
    "driver", [pytest.param(name, marks=pytest.mark.realservices(driver=name)) for name in ("psycopg", "psycopg2")]
)


def test_psycopg_is_refused_and_goes_on_in_the_parent(isolated_psycopg: Any) -> None:
    cursor = isolated_psycopg.execute("SELECT 1")
    for work in (
        lambda: isolated_psycopg.execute("SELECT 2"),
        lambda: isolated_psycopg.commit(),
        lambda: cursor.execute("SELECT 2"),
    ):
        answer = in_child(work)
        assert "ForkedProcessError: a connection of isolated_psycopg (or of an engine) belongs to process " in answer
        assert "isolated_engine.url" in answer
    assert in_process(isolated_psycopg.close) == 0
    assert isolated_psycopg.execute("SELECT 3").fetchone() == (3,)


def test_psycopg2_is_refused_and_goes_on_in_the_parent(isolated_psycopg2: Any) -> None:
    cursor = isolated_psycopg2.cursor()
    cursor.execute("SELECT 1")
    assert "ForkedProcessError: a connection of isolated_psycopg2" in in_child(isolated_psycopg2.cursor)
    assert "ForkedProcessError: a connection of isolated_psycopg2" in in_child(isolated_psycopg2.commit)
    assert "server closed the connection unexpectedly" in in_child(lambda: cursor.execute("SELECT 2"))
    assert in_process(isolated_psycopg2.close) == 0
    cursor.execute("SELECT 3")
    assert cursor.fetchone() == (3,)


@_ENGINES
def test_an_engine_connects_anew(isolated_engine: Any, driver: str) -> None:
    with isolated_engine.begin() as connection:
        connection.execute(text("CREATE TABLE items (id int)"))
        pid = connection.scalar(text("SELECT pg_backend_pid()"))

    def insert() -> Any:
        with isolated_engine.begin() as connection:
            connection.execute(text("INSERT INTO items VALUES (1)"))
            return connection.scalar(text("SELECT count(*) FROM items WHERE pg_backend_pid() <> :pid"), {"pid": pid})

    assert in_child(insert) == "1"
    assert in_process(insert) == 0
    with isolated_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM items")) == 2
        assert connection.scalar(text("SELECT pg_backend_pid()")) == pid


@_ENGINES
def test_a_session_that_has_begun_is_refused(isolated_session: Any, driver: str) -> None:
    isolated_session.execute(text("SELECT 1"))
    assert "ForkedProcessError" in in_child(lambda: isolated_session.execute(text("SELECT 2")))
    assert isolated_session.scalar(text("SELECT 3")) == 3


@_ENGINES
def test_after_a_child_the_connection_is_kept_as_ever(isolated_engine: Any, isolated_psycopg: Any, driver: str) -> None:
    assert in_process(lambda: None) == 0
    with isolated_engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert isolated_psycopg.execute("SELECT 1").fetchone() == (1,)
