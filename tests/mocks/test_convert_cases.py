"""IsolatedAsyncioTestCase: each test connects in the loop of its own; what cannot live there is left."""

from __future__ import annotations

from tests.mocks.converting import convert, converted

_HEAD = "import unittest\n\n\nclass CacheTest(unittest.IsolatedAsyncioTestCase):\n"


def test_a_set_up_runs_in_the_loop_of_its_test() -> None:
    text = converted(
        _HEAD
        + """    def setUp(self):
        self.redis = AsyncMock()
        self.cache = UserCache(self.redis)

    async def test_hit(self):
        self.redis.get.return_value = '{"a": 1}'
        self.assertEqual(await self.cache.get(3), {"a": 1})

    def test_nothing(self):
        self.assertTrue(True)
"""
    )
    made = (
        '        isolated_redis = redis.asyncio.from_url(self.request.getfixturevalue("isolated_redis_sync").url, '
        "decode_responses=True)\n        self.addAsyncCleanup(isolated_redis.aclose)\n"
    )
    assert f"    async def asyncSetUp(self):\n{made}        self.redis = isolated_redis\n" in text
    assert f"    async def test_hit(self):\n{made}        await isolated_redis.set(" in text
    assert "    def test_nothing(self):\n        self.assertTrue(True)\n" in text
    assert "        self.request = request\n" in text


def test_twice_is_as_once() -> None:
    body = _HEAD + (
        "    async def asyncSetUp(self):\n        self.db = AsyncMock()\n\n"
        "    async def test_none(self):\n        self.db.fetchrow.return_value = None\n"
        "        self.assertIsNone(await UserService(self.db).get_user(4))\n"
    )
    result = convert(body)
    assert result.converted == ["CacheTest.test_none"]
    assert 'isolated_database = await self.request.getfixturevalue("cloned_database").connect()' in result.after
    again = convert(result.after.partition("\n\n\n")[2])
    assert again.after == again.before


def test_a_test_that_does_not_read_the_mock_of_its_set_up_is_no_obstacle() -> None:
    result = convert(
        _HEAD
        + """    async def asyncSetUp(self):
        self.db = AsyncMock()

    async def test_none(self):
        self.db.fetchrow.return_value = None
        self.assertIsNone(await UserService(self.db).get_user(4))

    @patch("app.orders.pool")
    async def test_orders(self, pool):
        pool.acquire.return_value.__aenter__.return_value.fetch.return_value = []
        self.assertEqual(await orders.orders_of(5), [])
"""
    )
    assert (result.converted, result.left) == (["CacheTest.test_none", "CacheTest.test_orders"], [])
    assert "@pytest.fixture\nasync def database_pool" not in result.after


def test_a_test_that_has_nothing_to_do_with_its_set_up_stays_as_it_is() -> None:
    result = convert(
        _HEAD.replace("IsolatedAsyncioTestCase", "TestCase")
        + "    def setUp(self):\n        self.redis = MagicMock()\n\n    def test_sum(self):\n        self.assertEqual(1 + 1, 2)\n"
    )
    assert (result.converted, result.left, result.after) == ([], [], result.before)


def test_a_set_up_beside_another_one_is_left() -> None:
    result = convert(
        _HEAD
        + """    def setUp(self):
        super().setUp()
        self.redis = AsyncMock()

    async def test_hit(self):
        self.redis.get.return_value = '{"a": 1}'
        self.assertEqual(await UserCache(self.redis).get(3), {"a": 1})
"""
    )
    assert ["it must run in the test's loop" in each.why for each in result.left] == [True]


def test_a_session_of_the_test_alone_is_made_in_it() -> None:
    text = converted(
        _HEAD
        + """    async def test_none(self):
        session = AsyncMock()
        session.execute.return_value = MagicMock(**{"scalar_one_or_none.return_value": None})
        self.assertIsNone(await books.find_author(session, 4))
"""
    )
    assert (
        "        self.addAsyncCleanup(isolated_engine_async.dispose)\n        isolated_session_async = AsyncSession("
        in text
    )
    assert "        self.addAsyncCleanup(isolated_session_async.close)\n" in text


def test_a_plain_test_case_runs_no_asynchronous_tests() -> None:
    result = convert(
        _HEAD.replace("IsolatedAsyncioTestCase", "TestCase")
        + "    async def test_none(self):\n        mock_redis = AsyncMock()\n        mock_redis.get.return_value = None\n"
        "        assert await UserCache(mock_redis).get(1) is None\n"
    )
    assert ["TestCase runs no asynchronous tests" in each.why for each in result.left] == [True]
