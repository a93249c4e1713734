"""Tests in classes that make their mocks before each test."""

import unittest
from unittest.mock import AsyncMock, MagicMock, patch

import redis

from app import cache, orders
from app.cache import Limiter, UserCache
from app.notes import NoteStore
from app.users import UserService


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


class ProfileTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.redis = AsyncMock()
        self.cache = UserCache(self.redis)

    async def test_put(self):
        await self.cache.put(3, {"name": "Ann"})
        self.redis.set.assert_awaited_once()

    async def test_it_is_gone(self):
        self.redis.get.side_effect = redis.ConnectionError
        with self.assertRaises(redis.ConnectionError):
            await self.cache.get(3)


class UsersTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.db = AsyncMock()

    async def test_get(self):
        self.db.fetchrow.return_value = {"id": 4, "name": "Ann"}
        user = await UserService(self.db).get_user(4)
        self.assertEqual(user["name"], "Ann")

    @patch("app.orders.pool")
    async def test_orders(self, pool):
        conn = AsyncMock()
        pool.acquire.return_value.__aenter__.return_value = conn
        conn.fetch.return_value = []
        self.assertEqual(await orders.orders_of(5), [])
