"""Test files as people write them, put together at random: forms of mocks, of fixtures, of assertions, and all the rest."""

from __future__ import annotations

import random

_HEAD = """{doc}{future}import json
from unittest import mock
from unittest.mock import ANY, AsyncMock, MagicMock, Mock, call, mock_open, patch

import httpx
import pytest
import redis
import respx
import fakeredis
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker
{extra}
from app import books, cache, faults, legacy, notes, orders, rates, settings, weather
from app.cache import Limiter, UserCache
from app.models import Author, Book
from app.users import UserService
{tail}
"""
_FIXTURES = (
    """
@pytest.fixture
def mock_db():
    db = AsyncMock()
    db.execute = AsyncMock(return_value=None)
    db.fetchrow = AsyncMock(return_value={"id": 1, "email": "ann@example.com", "name": "Ann"})
    return db
""",
    '''
@pytest.fixture()
def mock_db():
    """A database."""
    with patch("app.users.UserService.db", create=True) as db:
        db.fetchrow = AsyncMock(return_value=None)
        yield db
''',
    """
@pytest.fixture
def mock_db(mocker):
    return mocker.AsyncMock(**{"fetchrow.return_value": None, "fetchval.return_value": 4})
""",
    """
@pytest.fixture(scope="module")
def mock_db():
    return AsyncMock()
""",
)
_REDIS_FIXTURES = (
    """
@pytest.fixture
def mock_redis():
    client = AsyncMock()
    client.get.return_value = None   # nothing yet
    yield client
""",
    """
@pytest.fixture(name="mock_redis")
def make_redis():
    return AsyncMock(get=AsyncMock(return_value=b'{"name": "Ann"}'), set=AsyncMock())
""",
    """
@pytest.fixture(autouse=True)
def mock_redis():
    with patch("app.cache.client") as client:
        yield client
""",
)
_CONSUMERS = (
    """
@pytest.fixture
def service(mock_db):
    return UserService(mock_db)
""",
    """
@pytest.fixture
def service(mock_db):
    mock_db.fetchval.return_value = 2
    service = UserService(db=mock_db)
    yield service
""",
)
_AT_TOP = (
    "",
    """
fake = fakeredis.FakeRedis(decode_responses=True)
memory = create_engine("sqlite://")
Session = sessionmaker(bind=memory)
""",
    """
fake = fakeredis.FakeStrictRedis(decode_responses=True)
memory = create_engine("sqlite:///:memory:", echo=True)
Author.metadata.create_all(memory)
Session = sessionmaker(autoflush=False, bind=memory)


def make_session():
    return Session()
""",
)
# What stands in a test: name, whether it is asynchronous, arguments, decorators, body.
_TESTS = (
    ("get", True, "service, mock_db", "", 'user = await service.get_user(1)\nassert user["name"] == "Ann"\nmock_db.fetchrow.assert_awaited_once()'),
    ("created", True, "mock_db", "", 'mock_db.fetchval.return_value = {n}\nassert await UserService(mock_db).create_user("a{n}@example.com") == {n}'),
    ("rows", True, "", "", 'db = AsyncMock()\ndb.fetch.return_value = [{{"id": {n}, "name": "ö"}}]\nassert await UserService(db).active() == ["ö"]'),
    ("none", True, "mock_db", "", "mock_db.fetchrow.return_value = None\nassert await UserService(mock_db).get_user({n}) is None"),
    ("execute", True, "mock_db", "", 'await UserService(mock_db).register("b@example.com", "B")\nmock_db.execute.assert_called_once()'),
    ("sides", True, "mock_db", "", 'mock_db.fetchrow.side_effect = [None, {{"id": 1}}]\nassert await UserService(mock_db).get_user(1) is None'),
    ("fails", True, "mock_db", "", 'mock_db.fetchrow.side_effect = RuntimeError("x")\nwith pytest.raises(RuntimeError):\n    await UserService(mock_db).get_user(1)'),
    ("args", True, "mock_db", "", "await UserService(mock_db).rename({n}, 'x')\nassert mock_db.execute.call_args[0][1] == {n}"),
    ("renamed", True, "mock_db", "", 'mock_db.execute.return_value = "UPDATE 1"\nassert await UserService(mock_db).rename({n}, "x")\nassert mock_db.execute.call_count == 1'),
    ("removed", True, "mock_db", "", 'mock_db.execute.return_value = "DELETE 0"\nassert not await UserService(mock_db).remove({n})\nmock_db.fetchrow.assert_not_called()'),
    ("pool", True, "", "", 'pool = MagicMock()\nconn = AsyncMock()\npool.acquire.return_value.__aenter__.return_value = conn\nconn.fetch.return_value = []\nwith patch("app.orders.pool", pool):\n    assert await orders.orders_of({n}) == []'),
    ("paid", True, "pool", '@patch("app.orders.pool")', "conn = AsyncMock()\npool.acquire.return_value.__aenter__.return_value = conn\nawait orders.pay({n})\nconn.execute.assert_awaited_once()"),
    ("both", True, "client, pool", '@patch("app.orders.pool")\n@patch("app.cache.client")', "client.get.return_value = None\nassert cache.recall('x') is None"),
    ("hit", True, "mock_redis", "", 'mock_redis.get.return_value = json.dumps({{"n": {n}}})\nassert await UserCache(mock_redis).get("u{n}") == {{"n": {n}}}'),
    ("put", True, "mock_redis", "", 'await UserCache(mock_redis).put({n}, {{"a": 1}})\nmock_redis.set.assert_awaited_once_with("user:{n}", \'{{"a": 1}}\', ex=300)'),
    ("quiet", True, "mock_redis", "", "await UserCache(mock_redis).get({n})\nmock_redis.set.assert_not_called()"),
    ("any", True, "mock_redis", "", 'await UserCache(mock_redis).put({n}, {{}})\nmock_redis.set.assert_awaited_once_with(ANY, ANY, ex=300)'),
    ("limit", False, "", "", 'client = MagicMock()\nclient.incr.return_value = {n}\nassert Limiter(client, limit=9).allow("ann") == ({n} <= 9)'),
    ("memo", False, "client", '@patch("app.cache.client")', 'cache.remember("k{n}", "v")\nclient.setex.assert_called_once_with("memo:k{n}", 60, "v")'),
    ("mocker", False, "mocker", "", 'client = mocker.patch("app.cache.client")\nclient.get.return_value = b"x"\nassert cache.recall("k") == "x"'),
    ("object", False, "", "", 'with mock.patch.object(cache, "client") as client, pytest.raises(AttributeError):\n    client.get.return_value = 5\n    cache.recall("k")'),
    ("pipeline", False, "client", '@patch("app.cache.client")', "client.pipeline.return_value.execute.return_value = [1, 2]\ncache.add_tag(1, 'x')\nassert client.mock_calls == [call.sadd('tags:1', 'x')]"),
    ("cursor", False, "", "", 'conn = MagicMock()\nconn.cursor.return_value.__enter__.return_value.fetchall.return_value = [({n}, "b")]\nassert notes.NoteStore(conn).by_author("ann") == [({n}, "b")]'),
    ("legacy", False, "", "", 'conn = Mock()\nconn.cursor().fetchall.return_value = [("b",)]\nassert legacy.load_bodies(conn, "ann") == ["b"]'),
    ("connect", False, "connect", '@mock.patch("psycopg2.connect")', 'legacy.save_note("", "ann", "kept {n}")\nconnect.return_value.commit.assert_called_once()'),
    ("session", False, "", "", 'session = MagicMock()\nauthor = Author(id={n}, name="A")\nsession.query.return_value.filter.return_value.first.return_value = author\nassert books.get_author(session, {n}).name == "A"'),
    ("added", False, "", "", 'session = MagicMock()\nbooks.add_author(session, "A{n}")\nsession.add.assert_called_once()\nsession.commit.assert_called_once()'),
    ("asession", True, "", "", 'session = AsyncMock()\nsession.execute.return_value = MagicMock(**{{"scalar_one_or_none.return_value": None}})\nassert await books.find_author(session, {n}) is None'),
    ("spec", False, "", "", "session = mock.create_autospec(object)\nbooks_ = [Book(title='x', isbn='{n}')]\nassert books_ and session"),
    ("file", False, "", "", 'with patch("builtins.open", mock_open(read_data="{{}}")), patch("os.path.exists", return_value=True):\n    assert settings.load("a.json") == {{}}'),
    ("written", False, "", "", 'opened = mock_open()\nwith patch("builtins.open", opened):\n    settings.save("o.txt", "t{n}")\nopened.assert_called_once_with("o.txt", "w")\nopened().write.assert_called_once_with("t{n}")'),
    ("path", False, "read", '@patch("pathlib.Path.read_text", return_value=" m ")', 'assert settings.read_motd("m.txt") == "m"'),
    ("http", True, "get", '@patch("httpx.AsyncClient.get", new_callable=AsyncMock)', 'get.return_value = MagicMock(json=lambda: {{"celsius": {n}}})\nassert await weather.temperature("x") == {n}'),
    ("time", False, "now", '@patch("time.time", return_value={n})', "import time\nassert time.time() == {n}"),
    ("many", False, "", '@pytest.mark.parametrize("used", ["1", "2"])', "client = MagicMock()\nclient.get.return_value = '1'\nclient.expire.assert_not_called()\nassert Limiter(client).remaining('a') == 2"),
    ("dict", False, "", '@patch.dict("os.environ", {{"A": "1"}})', "assert True"),
    ("seam", False, "monkeypatch", "", "client = Mock(get=Mock(return_value=None))\nmonkeypatch.setattr(cache, 'client', client)\nassert cache.recall('k') is None"),
    ("semicolon", False, "", "", "client = MagicMock(); client.get.return_value = None\nassert Limiter(client).remaining('a') == 3"),
    ("nested", False, "", "", 'def inner(client):\n    return Limiter(client).remaining("a")\nclient = MagicMock()\nclient.get.return_value = "1"\nfor _ in range(2):\n    assert inner(client) == 2'),
    ("tried", False, "client", '@patch("app.cache.client")', 'try:\n    client.get.return_value = None\n    assert cache.recall("k") is None\nfinally:\n    client.reset_mock()'),
    ("faked", False, "", "", 'fake.flushall()\nassert Limiter(fake, limit={n}).allow("ann")'),
    ("memory", False, "", "", 'with Session() as session:\n    books.add_author(session, "A{n}")'),
    ("piped", False, "", "", 'client = MagicMock()\npipe = client.pipeline.return_value.__enter__.return_value\npipe.execute.return_value = [{n}, True, "9"]\nassert cache.visits(client, "p") == ({n}, "9")\npipe.expire.assert_called_once()'),
    ("gone", True, "mock_redis", "", 'mock_redis.get.side_effect = redis.ConnectionError("x")\nassert await faults.recall_or_none(mock_redis, "k{n}") is None'),
    ("late", True, "mock_redis", "", 'mock_redis.get.side_effect = TimeoutError\nassert await faults.recall_in_time(mock_redis, "k") == "too late"'),
    ("lost", True, "mock_db", "", 'mock_db.fetchrow.side_effect = ConnectionError("x")\nwith pytest.raises(ConnectionError, match="x"):\n    await UserService(mock_db).get_user({n})'),
    ("unpooled", True, "pool", '@patch("app.orders.pool")', 'pool.acquire.side_effect = OSError\nwith pytest.raises(OSError):\n    await orders.orders_of({n})'),
    ("uncommitted", False, "", "", 'session = MagicMock()\nsession.commit.side_effect = SQLAlchemyError("x")\nassert not faults.store_author(session, "A{n}")\nsession.rollback.assert_called_once()'),
    ("heals", True, "mock_redis", "", 'mock_redis.get.side_effect = ConnectionError\nwith pytest.raises(ConnectionError):\n    await UserCache(mock_redis).get({n})\nmock_redis.get.side_effect = None\nawait UserCache(mock_redis).get({n})'),
    ("routed", True, "", "@respx.mock", 'route = respx.get("https://rates.example/rates/R{n}").respond(json={{"rate": {n}}})\nassert await rates.RatesClient("https://rates.example").rate("R{n}") == {n}\nassert route.called'),
    ("router", False, "", "", 'with respx.mock as fake:\n    fake.get("https://rates.example/v2/latest/R{n}") % httpx.Response(200, json={{"rate": {n}}})\n    assert rates.latest("R{n}") == {n}'),
    ("published", False, "respx_mock", "", 'respx_mock.post("https://api.rates.example/rates").mock(return_value=httpx.Response(201))\nassert rates.publish("USD", {n})\nassert json.loads(respx_mock.calls.last.request.content)["rate"] == {n}'),
    ("latest", False, "get", '@patch("app.rates.httpx.get")', 'get.return_value.json.return_value = {{"rate": {n}}}\nassert rates.latest("USD") == {n}\nget.assert_called_once()'),
    ("refused", False, "get, monkeypatch", '@patch("httpx.get", side_effect=httpx.ConnectError("x"))', 'monkeypatch.setenv("STATUS_URL", "https://status.example")\nassert rates.status() == "gone"'),
    ("plain", False, "", "", "assert {n} == {n}"),
)  # fmt: skip


def make_suite(seed: int) -> str:
    """Return a test file.

    Args:
        seed: What it is made of.
    """
    chance = random.Random(seed)
    parts = [_head(chance)]
    parts += [
        chance.choice(_AT_TOP),
        chance.choice(_FIXTURES),
        chance.choice(_REDIS_FIXTURES),
        chance.choice(_CONSUMERS),
    ]
    chosen = chance.sample(_TESTS, chance.randint(1, 9))
    in_class = chance.random() < 0.3
    blocks = [_test(number, each, chance, in_class=in_class) for number, each in enumerate(chosen)]
    if in_class:
        base = chance.choice(["", "", "(unittest.TestCase)", "(unittest.IsolatedAsyncioTestCase)", "(Base)"])
        parts.append(f"\n\nclass TestThings{base}:\n" + "\n".join(_indented(block) for block in blocks))
    else:
        parts += [f"\n\n{block}" for block in blocks]
    text = "\n".join(part.rstrip("\n") for part in parts) + "\n"
    return text.replace("\n", "\r\n") if chance.random() < 0.05 else text


def _head(chance: random.Random) -> str:
    extra = "import unittest\n"
    tail = chance.choice(["\nBase = object\npytestmark = pytest.mark.slow\n", "\nBase = object\n"])
    doc = chance.choice(["", '"""Tests."""\n\n', "# a comment\n"])
    return _HEAD.format(
        doc=doc, future=chance.choice(["", "from __future__ import annotations\n\n"]), extra=extra, tail=tail
    )


def _test(number: int, each: tuple[str, bool, str, str, str], chance: random.Random, *, in_class: bool) -> str:
    name, is_async, arguments, decorators, body = each
    number_of = chance.randint(1, 9)
    arguments = ", ".join(
        filter(None, ["self" if in_class else "", arguments, "used" if "parametrize" in decorators else ""])
    )
    lines = body.format(n=number_of).split("\n")
    if chance.random() < 0.3:
        lines.insert(0, '"""What it is for."""')
    if chance.random() < 0.3:
        lines.insert(chance.randint(1, len(lines)), "# a comment of its own") if not lines[-1].startswith(" ") and len(
            lines
        ) < 4 else None
    head = decorators.format(n=number_of) + "\n" if decorators else ""
    return f"{head}{'async ' if is_async else ''}def test_{name}_{number}({arguments}):\n" + "\n".join(
        f"    {line}" for line in lines
    )


def _indented(block: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in block.split("\n")) + "\n"
