"""Tests in classes that make their mocks before each test."""

import unittest
from unittest.mock import MagicMock, patch

from app import cache
from app.cache import Limiter
from app.notes import NoteStore


class TestLimits:
    def setup_method(self):
        self.client = MagicMock()
        self.limiter = Limiter(self.client, limit=2)

    def test_allowed(self):
        self.client.incr.return_value = 2
        assert self.limiter.allow("bob")

    def test_refused(self):
        self.client.incr.return_value = 3
        assert not self.limiter.allow("bob")
        self.client.expire.assert_not_called()


class NoteStoreTest(unittest.TestCase):
    """Notes."""

    def setUp(self):
        self.conn = MagicMock()
        self.store = NoteStore(self.conn)

    def test_add(self):
        self.store.add("ann", "hello")
        self.conn.commit.assert_called_once()

    def test_first(self):
        self.conn.cursor.return_value.fetchone.return_value = ("hello",)
        self.assertEqual(self.store.first("ann"), "hello")


class MemoTest(unittest.TestCase):
    @patch("app.cache.client")
    def test_recall(self, client):
        client.get.return_value = b"1"
        self.assertEqual(cache.recall("x"), "1")
