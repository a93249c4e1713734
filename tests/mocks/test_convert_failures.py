"""A mock that fails: the real service is stopped or paused where that is the same; else the test is left, with why."""

from __future__ import annotations

import pytest

from tests.mocks.converting import convert, converted

_CODE = """import redis


async def by_builtin(client, key):
    try:
        return await client.get(key)
    except ConnectionError:
        return None


async def then_set(client, key):
    try:
        return await client.get(key)
    except redis.RedisError:
        value = "new"
    await client.set(key, value)


async def logged(client, key):
    try:
        return await client.get(key)
    except redis.RedisError:
        print("down")
        raise


async def set_then_get(client, key):
    await client.set(key, "1")
    return await client.get(key)


"""


def _test(line: str, act: str) -> str:
    return f"async def test_it():\n    mock_redis = AsyncMock()\n    {line}\n    {act}\n"


def test_the_service_is_stopped_and_the_test_expects_what_the_client_raises() -> None:
    text = converted(
        _test(
            'mock_redis.get.side_effect = ConnectionError("down")',
            'with pytest.raises(ConnectionError, match="down"):\n        await UserCache(mock_redis).get(5)',
        )
    )
    assert text == (
        "@pytest.mark.requires_redis\nasync def test_it(isolated_redis, service_control):\n"
        '    await service_control.stop("cache")\n    with pytest.raises(RedisConnectionError):\n'
        "        await UserCache(isolated_redis).get(5)\n"
    )


def test_rows_are_there_before_the_service_is_stopped() -> None:
    text = converted(
        "async def test_it():\n    db = AsyncMock()\n    db.execute.side_effect = OSError\n"
        "    with pytest.raises(OSError):\n        await UserService(db).rename(5, 'x')\n"
    )
    assert text.index("INSERT INTO users") < text.index('service_control.stop("db")') < text.index("with pytest.raises")
    assert "with pytest.raises(asyncpg.InterfaceError):" in text


def test_a_handler_that_raises_again_is_none() -> None:
    result = convert(
        _CODE
        + _test(
            "mock_redis.get.side_effect = redis.ConnectionError",
            "with pytest.raises(redis.RedisError):\n        await logged(mock_redis, 'a')",
        )
    )
    assert (result.converted, result.left) == (["test_it"], [])
    assert "with pytest.raises(redis.RedisError):" in result.after


@pytest.mark.parametrize(
    ("line", "act", "why"),
    [
        ("mock_redis.get.side_effect = ConnectionError", "assert await by_builtin(mock_redis, 'a') is None",
         "the code handles ConnectionError, and the real client raises redis.ConnectionError"),
        ("mock_redis.get.side_effect = redis.ConnectionError", "assert await then_set(mock_redis, 'a') is None",
         "after the failure the code calls 'set', which fails, too"),
        ("mock_redis.get.side_effect = redis.ConnectionError",
         "with pytest.raises(redis.RedisError):\n        await set_then_get(mock_redis, 'a')",
         "the code asks for 'set' first, which a service that is gone does not answer"),
        ("mock_redis.get.side_effect = redis.TimeoutError",
         "with pytest.raises(redis.TimeoutError):\n        await UserCache(mock_redis).get(1)",
         "the code has no deadline of its own"),
        ("mock_redis.get.side_effect = KeyError", "with pytest.raises(KeyError):\n        await UserCache(mock_redis).get(1)",
         "no server that is gone makes a client raise KeyError"),
        ("mock_redis.get.side_effect = lambda key: None", "assert await UserCache(mock_redis).get(1) is None",
         "answers by a function"),
        ("mock_redis.get.side_effect = [ConnectionError, None]", "assert await UserCache(mock_redis).get(1) is None",
         "differently each time"),
        ("mock_redis.get.side_effect = ConnectionError", "assert await UserCache(mock_redis).get(1)",
         "the code does not handle it, and the test does not expect it"),
        ("mock_redis.get.side_effect = ConnectionError",
         "with pytest.raises(ConnectionError):\n        await UserCache(mock_redis).get(1)\n"
         "    mock_redis.get.side_effect = None\n    assert await UserCache(mock_redis).get(1) is None",
         "the mock's answers change in the middle of the test"),
    ],
    ids=["another class", "one more call", "answered before", "no deadline", "no failure", "a function", "a list",
         "not expected", "recovers"],
)  # fmt: skip
def test_it_is_left_where_the_real_failure_is_another(line: str, act: str, why: str) -> None:
    result = convert(_CODE + _test(line, act))
    assert [why in each.why for each in result.left] == [True], result.left
    assert result.after == result.before


def test_what_is_refused_for_its_data_is_no_failure() -> None:
    result = convert(
        "import asyncpg\n\n\nasync def test_it():\n    db = AsyncMock()\n"
        "    db.execute.side_effect = asyncpg.UniqueViolationError\n"
        "    with pytest.raises(asyncpg.UniqueViolationError):\n        await UserService(db).rename(5, 'x')\n"
    )
    assert [(each.why, each.remedy) for each in result.left] == [
        ("the statement is refused for its data", "insert the row that it collides with")
    ]


def test_the_remedy_for_a_slow_service_is_exact() -> None:
    result = convert(
        _test(
            "mock_redis.get.side_effect = TimeoutError",
            "with pytest.raises(TimeoutError):\n        await UserCache(mock_redis).get(1)",
        )
    )
    assert result.left[0].remedy.endswith('then await service_control.pause("cache")')
