import json
from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from app import cache
from app.cache import Limiter, UserCache


@pytest.fixture
def mock_redis():
    mock_redis = AsyncMock()
    mock_redis.get = AsyncMock(return_value=None)
    mock_redis.set = AsyncMock(return_value=True)
    return mock_redis


async def test_caching(mock_redis):
    await UserCache(mock_redis).put("user123", {"name": "test"})
    mock_redis.set.assert_called_once()


async def test_miss(mock_redis):
    assert await UserCache(mock_redis).get("user123") is None
    mock_redis.get.assert_awaited_once_with("user:user123")


async def test_hit(mock_redis):
    mock_redis.get.return_value = json.dumps({"name": "Ann"})
    assert await UserCache(mock_redis).get("a") == {"name": "Ann"}


async def test_put_exactly(mock_redis):
    await UserCache(mock_redis).put(5, {"name": "Ann"})
    mock_redis.set.assert_awaited_once_with("user:5", json.dumps({"name": "Ann"}), ex=300)


async def test_drop(mock_redis):
    mock_redis.delete.return_value = 1
    assert await UserCache(mock_redis).drop(5) == 1
    mock_redis.delete.assert_called_once_with("user:5")


async def test_nothing_is_written_on_read(mock_redis):
    await UserCache(mock_redis).get(5)
    mock_redis.set.assert_not_called()


class TestLimiter:
    def test_first(self):
        client = MagicMock()
        client.incr.return_value = 1
        assert Limiter(client).allow("ann")
        client.expire.assert_called_once_with("limit:ann", 60)

    def test_too_often(self):
        client = MagicMock()
        client.incr.return_value = 4
        assert not Limiter(client).allow("ann")
        client.expire.assert_not_called()

    @pytest.mark.parametrize("used, left", [("1", 2), ("3", 0)])
    def test_remaining(self, used, left):
        client = MagicMock()
        client.get.return_value = used
        assert Limiter(client).remaining("ann") == left


@patch("app.cache.client")
def test_remember(client):
    cache.remember("x", "1")
    client.setex.assert_called_once_with("memo:x", 60, "1")


@patch("app.cache.client")
def test_recall(client):
    client.get.return_value = b"1"
    assert cache.recall("x") == "1"


@patch("app.cache.redis.Redis")
def test_profile(redis_class):
    redis_class.return_value.hgetall.return_value = {b"name": b"Ann"}
    assert cache.profile(3) == {b"name": b"Ann"}


def test_recent(mocker):
    client = mocker.patch("app.cache.client")
    client.lrange.return_value = ["b", "a"]
    assert cache.recent(3) == ["b", "a"]


def test_add_tag(monkeypatch):
    client = MagicMock()
    monkeypatch.setattr("app.cache.client", client)
    cache.add_tag(3, "red")
    client.sadd.assert_called_once_with("tags:3", "red")


def test_session_user():
    with patch.object(cache, "client") as client:
        client.hget.return_value = "ann"
        assert cache.session_user("t") == "ann"


async def test_redis_is_down(mock_redis):
    mock_redis.get.side_effect = ConnectionError
    with pytest.raises(ConnectionError):
        await UserCache(mock_redis).get(5)


def test_visits():
    client = MagicMock()
    pipe = client.pipeline.return_value.__enter__.return_value
    pipe.execute.return_value = [4, True, "9"]
    assert cache.visits(client, "home") == (4, "9")
    pipe.expire.assert_called_once_with("visits:home", 60)


async def test_put_profile():
    mock_redis = MagicMock()
    pipe = MagicMock()
    pipe.execute = AsyncMock(return_value=[1, 1])
    mock_redis.pipeline.return_value = pipe
    await cache.put_profile(mock_redis, 7, "Ann")
    pipe.execute.assert_awaited_once()


@patch("app.cache.get_redis_client")
async def test_a_client_of_an_asynchronous_function(get_redis_client):
    redis_client = AsyncMock()
    get_redis_client.return_value = redis_client
    redis_client.get.return_value = "Moin"
    assert await cache.greeting("de") == "Moin"
    redis_client.get.assert_awaited_once_with("greeting:de")
