"""Before and after: the migration guide's pairs and their variants, and what is left with its reason."""

from __future__ import annotations

import pytest

from tests.mocks.converting import convert, converted

_PAIRS = {
    "a fixture of a database": (
        """@pytest.fixture
def mock_database():
    mock_db = AsyncMock()
    mock_db.execute = AsyncMock(return_value=None)
    mock_db.fetchrow = AsyncMock(return_value=None)
    return mock_db


async def test_user_creation(mock_database):
    # Mock-based test
    await UserService(mock_database).register("test@example.com", "Test")
    mock_database.execute.assert_called_once()
""",
        """@pytest.mark.requires_postgres
async def test_user_creation(isolated_database):
    # Mock-based test
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    await UserService(isolated_database).register("test@example.com", "Test")
    assert await isolated_database.fetchval("SELECT count(*) FROM users WHERE email = $1 AND name = $2", "test@example.com", "Test") == 1
""",
    ),
    "a fixture of Redis": (
        """@pytest.fixture
def mock_redis():
    mock_redis = AsyncMock()
    mock_redis.get = AsyncMock(return_value=None)
    mock_redis.set = AsyncMock(return_value=True)
    return mock_redis


async def test_caching(mock_redis):
    await UserCache(mock_redis).put("user123", {"name": "test"})
    mock_redis.set.assert_called_once()
""",
        """@pytest.mark.requires_redis
async def test_caching(isolated_redis):
    await UserCache(isolated_redis).put("user123", {"name": "test"})
    assert await isolated_redis.get("user:user123") == json.dumps({"name": "test"})
    assert 0 < await isolated_redis.ttl("user:user123") <= 300
""",
    ),
    "files": (
        """@patch("builtins.open", mock_open(read_data="{}"))
@patch("os.path.exists")
def test_file_operations(mock_exists):
    mock_exists.return_value = True
    assert settings.load("app.json") == {}
""",
        """def test_file_operations(filesystem_sync, monkeypatch):
    monkeypatch.chdir(filesystem_sync.path())
    filesystem_sync.create_file("app.json", "{}")
    assert settings.load("app.json") == {}
""",
    ),
    "a row with what the table requires": (
        """async def test_stock():
    db = AsyncMock()
    db.fetchrow.return_value = {"id": 1, "name": "Ann"}
    assert (await UserService(db).get_user(1))["name"] == "Ann"
""",
        """@pytest.mark.requires_postgres
async def test_stock(isolated_database):
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    await isolated_database.execute("INSERT INTO users (id, name, email) VALUES ($1, $2, $3)", 1, "Ann", "user-1@example.com")
    assert (await UserService(isolated_database).get_user(1))["name"] == "Ann"
""",
    ),
    "a number that the database gives": (
        """async def test_created():
    db = AsyncMock()
    db.fetchval.return_value = 7
    assert await UserService(db).create_user("a@example.com") == 7
""",
        """@pytest.mark.requires_postgres
async def test_created(isolated_database):
    await isolated_database.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), 7, false)")
    assert await UserService(isolated_database).create_user("a@example.com") == 7
""",
    ),
    "a pipeline": (
        """def test_visits():
    client = MagicMock()
    pipe = client.pipeline.return_value.__enter__.return_value
    pipe.execute.return_value = [4, True, "9"]
    assert cache.visits(client, "home") == (4, "9")
    pipe.expire.assert_called_once_with("visits:home", 60)
""",
        """@pytest.mark.requires_redis
def test_visits(isolated_redis_sync):
    isolated_redis_sync.set("visits:home", 3)
    isolated_redis_sync.set("total", "9")
    assert cache.visits(isolated_redis_sync, "home") == (4, "9")
    assert 0 < isolated_redis_sync.ttl("visits:home") <= 60
""",
    ),
    "a pipeline that is sent": (
        """async def test_put_profile():
    mock_redis = MagicMock()
    mock_redis.pipeline.return_value.execute = AsyncMock(return_value=[1, 1])
    await cache.put_profile(mock_redis, 7, "Ann")
    mock_redis.pipeline.return_value.execute.assert_awaited_once()
""",
        """@pytest.mark.requires_redis
async def test_put_profile(isolated_redis):
    await cache.put_profile(isolated_redis, 7, "Ann")
    assert await isolated_redis.hget("profile:7", "name") == "Ann"
    assert await isolated_redis.sismember("profiles", 7)
""",
    ),
    "nothing is deleted": (
        """async def test_kept():
    db = AsyncMock()
    db.execute.return_value = "DELETE 0"
    assert not await UserService(db).remove(5)
""",
        """@pytest.mark.requires_postgres
async def test_kept(isolated_database):
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    assert not await UserService(isolated_database).remove(5)
""",
    ),
    "a seam that stays": (
        """def test_recall():
    with patch.object(cache, "client") as client:
        client.get.return_value = b"1"
        assert cache.recall("x") == "1"
""",
        """@pytest.mark.requires_redis
def test_recall(isolated_redis_bytes_sync, monkeypatch):
    monkeypatch.setattr("app.cache.client", isolated_redis_bytes_sync)
    isolated_redis_bytes_sync.set("memo:x", b"1")
    assert cache.recall("x") == "1"
""",
    ),
    "what was passed to a write": (
        """async def test_arguments():
    db = AsyncMock()
    await UserService(db).rename(1, "x")
    args = db.execute.call_args.args
    assert args[1] == 1
    assert args[2] == "x"
""",
        """@pytest.mark.requires_postgres
async def test_arguments(isolated_database):
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1, "user-1@example.com", "name-1")
    await UserService(isolated_database).rename(1, "x")
    assert await isolated_database.fetchval("SELECT count(*) FROM users WHERE name = $1 AND id = $2", "x", 1) == 1
""",
    ),
    "not called": (
        """async def test_quiet():
    redis = AsyncMock()
    redis.get.return_value = None
    await UserCache(redis).get(5)
    redis.set.assert_not_called()
""",
        """@pytest.mark.requires_redis
async def test_quiet(isolated_redis):
    await UserCache(isolated_redis).get(5)
    assert await isolated_redis.dbsize() == 0
""",
    ),
    "a driver's statement in a module with mapped classes": (
        """async def test_rename():
    db = AsyncMock()
    await books.rename_user(db, 4, "Ann")
    db.execute.assert_awaited_once()
""",
        """@pytest.mark.requires_postgres
async def test_rename(isolated_database):
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 4, "user-1@example.com", "name-1")
    await books.rename_user(isolated_database, 4, "Ann")
    assert await isolated_database.fetchval("SELECT count(*) FROM users WHERE name = $1 AND id = $2", "Ann", 4) == 1
""",
    ),
    "an object of a mapped class": (
        """def test_author():
    session = MagicMock()
    author = Author(name="Ann")
    session.query.return_value.filter.return_value.first.return_value = author
    assert books.get_author(session, 4) is author
""",
        """@pytest.mark.requires_postgres
def test_author(isolated_session):
    Author.metadata.create_all(isolated_session.get_bind())
    author = Author(name="Ann")
    isolated_session.add(Author(id=1001, name="name-1001"))  # Must not be found.
    author.id = 4
    isolated_session.add(author)
    isolated_session.commit()
    assert books.get_author(isolated_session, 4) is author
""",
    ),
}
_LEFT = {
    "the service fails": (
        'async def test_down():\n    db = AsyncMock()\n    db.fetchrow.side_effect = KeyError("down")\n'
        "    with pytest.raises(OSError):\n        await UserService(db).get_user(1)\n",
        "no server that is gone makes a client raise KeyError", 'a lost server is service_control.stop("db")',
    ),
    "it looks into the mock": (
        "async def test_arguments():\n    db = AsyncMock()\n    db.fetchrow.return_value = None\n    await UserService(db).get_user(1)\n"
        "    args, _ = db.fetchrow.call_args\n    assert args[1] == 1\n",
        "the test looks into the mock, and that fetchrow was called leaves no trace", "what is there afterwards",
    ),
    "the row contradicts the question": (
        'async def test_other():\n    db = AsyncMock()\n    db.fetchrow.return_value = {"id": 1, "email": "a", "name": "A"}\n'
        "    await UserService(db).get_user(5)\n",
        "the mock answers id=1 where the code asks for id=5", "the same value",
    ),
    "the row is none of the table": (
        'async def test_column():\n    db = AsyncMock()\n    db.fetchrow.return_value = {"id": 1, "nick": "A"}\n'
        "    await UserService(db).get_user(1)\n",
        "which the table users does not have", "the test hides a difference",
    ),
    "the value is of another type": (
        'async def test_type():\n    db = AsyncMock()\n    db.fetchrow.return_value = {"id": "one", "name": "A"}\n'
        "    await UserService(db).get_user('one')\n",
        "users.id does not accept that: its type is integer", "the test hides a difference",
    ),
    "somebody else's API": (
        '@patch("httpx.AsyncClient.get", new_callable=AsyncMock)\nasync def test_weather(get):\n'
        '    get.return_value = MagicMock(json=lambda: {"celsius": 2})\n    assert await weather.temperature("x") == 2\n',
        "the address of https://weather.example is written into the code (weather.py:8)", "isolated_http.url",
    ),
    "a pipeline with other answers": (
        'def test_visits():\n    client = MagicMock()\n    client.pipeline.return_value.__enter__.return_value.execute.return_value = [4]\n'
        '    assert cache.visits(client, "home") == (4, "9")\n',
        "the pipeline answers 1 commands, and 3 were found in the code", "by hand",
    ),
    "a pipeline whose answers are a name": (
        'def test_visits():\n    client = MagicMock()\n    client.pipeline.return_value.__enter__.return_value.execute.return_value = answers\n'
        '    assert cache.visits(client, "home") == (4, "9")\n',
        "the answers of a pipeline are not written out", "by hand",
    ),
    "a function that gives data": (
        '@patch("app.cache.redis.Redis.get", return_value=b"1")\ndef test_data(get):\n    assert cache.profile(1)\n',
        "it is a function that gives data, or fails, and no client of a service", "what the function uses",
    ),
    "a name that may be anything": (
        '@patch("app.cache.redis.retry")\ndef test_name(retry):\n    cache.profile(1)\n',
        "of which it is not known what it is", "monkeypatch.setattr",
    ),
    "a pipeline": (
        '@patch("app.cache.client")\ndef test_pipe(client):\n    client.pipeline.return_value.execute.return_value = [1]\n'
        '    client.setex.assert_not_called()\n    cache.recall("x")\n',
        "the pipeline answers 1 commands, and 0 were found in the code", "by hand",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _PAIRS)
def test_before_and_after(name: str) -> None:
    before, after = _PAIRS[name]
    assert converted(before) == after


@pytest.mark.parametrize("name", _LEFT)
def test_what_is_left_stays_as_it_is(name: str) -> None:
    before, why, remedy = _LEFT[name]
    result = convert(before)
    assert result.after == result.before
    assert [why in left.why and remedy in left.remedy for left in result.left] == [True], result.left


def test_a_test_that_is_left_keeps_its_fixture() -> None:
    before = _PAIRS["a fixture of a database"][0] + (
        "\n\nasync def test_down(mock_database):\n    mock_database.fetchrow.side_effect = KeyError\n"
        '    with pytest.raises(OSError):\n        await UserService(mock_database).register("a", "b")\n'
    )
    result = convert(before)
    assert (result.converted, [left.test for left in result.left]) == (["test_user_creation"], ["test_down"])
    assert "def mock_database():" in result.after
    assert "async def test_down(mock_database):" in result.after


def test_a_fixture_that_another_test_needs_as_it_is_gets_a_copy() -> None:
    before = """@pytest.fixture
def mock_db():
    return AsyncMock()


@pytest.fixture
def service(mock_db):
    return UserService(mock_db)


async def test_nobody(service, mock_db):
    mock_db.fetchrow.return_value = None
    assert await service.get_user(1) is None


async def test_down(service, mock_db):
    mock_db.fetchrow.side_effect = KeyError
    with pytest.raises(OSError):
        await service.get_user(1)
"""
    result = convert(before)
    assert result.converted == ["test_nobody"]
    assert (
        """
@pytest.fixture
def service(mock_db):
    return UserService(mock_db)


@pytest.fixture
def real_service(isolated_database):
    return UserService(isolated_database)


@pytest.mark.requires_postgres
async def test_nobody(isolated_database, real_service):
    await isolated_database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")  # Must not be found.
    assert await real_service.get_user(1) is None


async def test_down(service, mock_db):
"""
        in result.after
    )


def test_a_file_that_cannot_be_parsed_is_told() -> None:
    result = convert("def broken(:\n")
    assert result.error.startswith("SyntaxError: ")
    assert result.after == result.before


def test_an_asynchronous_function_that_gives_a_client_gives_the_real_one() -> None:
    text = converted(
        """@patch("app.cache.get_redis_client")
async def test_greeting(get_redis_client):
    redis_client = AsyncMock()
    get_redis_client.return_value = redis_client
    redis_client.get.return_value = "Moin"
    assert await cache.greeting("de") == "Moin"
"""
    )
    assert (
        "    async def give_redis(*_, **__):\n        return isolated_redis\n"
        '    monkeypatch.setattr("app.cache.get_redis_client", give_redis)\n'
    ) in text
