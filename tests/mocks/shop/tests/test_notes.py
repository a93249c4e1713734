from unittest import mock
from unittest.mock import MagicMock, Mock, patch

import pytest

from app import legacy
from app.notes import NoteStore, count_notes


@pytest.fixture
def conn():
    conn = MagicMock()
    cursor = MagicMock()
    conn.cursor.return_value.__enter__.return_value = cursor
    cursor.fetchall.return_value = [(1, "first"), (2, "second")]
    return conn


def test_by_author(conn):
    store = NoteStore(conn)
    assert store.by_author("ann") == [(1, "first"), (2, "second")]


def test_add():
    conn = MagicMock()
    NoteStore(conn).add("ann", "hello")
    conn.cursor.return_value.__enter__.return_value.execute.assert_called_once_with(
        "INSERT INTO notes (author, body) VALUES (%s, %s)", ("ann", "hello")
    )
    conn.commit.assert_called_once()


def test_first():
    conn = Mock()
    conn.cursor.return_value.fetchone.return_value = ("hello",)
    assert NoteStore(conn).first("ann") == "hello"


def test_first_of_nobody():
    conn = mock.Mock()
    conn.cursor().fetchone.return_value = None
    assert NoteStore(conn).first("nobody") is None


def test_pin(conn):
    conn.cursor.return_value.__enter__.return_value.rowcount = 1
    assert NoteStore(conn).pin(3)


@patch("app.notes.psycopg.connect")
def test_count(connect):
    cursor = connect.return_value.__enter__.return_value.cursor.return_value.__enter__.return_value
    cursor.fetchone.return_value = (2,)
    assert count_notes() == 2


def test_legacy_bodies():
    connection = MagicMock()
    connection.cursor.return_value.fetchall.return_value = [("a",), ("b",)]
    assert legacy.load_bodies(connection, "ann") == ["a", "b"]


def test_legacy_save():
    with patch("psycopg2.connect") as connect:
        legacy.save_note("dbname=shop", "ann", "kept")
        connect.return_value.commit.assert_called_once()


def test_latest():
    conn = Mock()
    conn.cursor.return_value.fetchone.return_value = ("newest",)
    assert NoteStore(conn).latest("ann") == "newest"


def test_no_latest():
    conn = Mock()
    conn.cursor.return_value.fetchone.return_value = None
    assert NoteStore(conn).latest("ann") is None
