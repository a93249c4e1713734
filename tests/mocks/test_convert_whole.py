"""A test is converted whole and right, or it is left and listed: forms that were converted wrongly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mocks.converting import convert

if TYPE_CHECKING:
    from realservices.mocks.convert.conversion_results import FileResult


def left(body: str, why: str) -> FileResult:
    """Assert that the one test of a file stays as it is, and is listed with a reason."""
    result = convert(body)
    assert result.error == ""
    assert result.after == result.before
    assert [why in each.why for each in result.left] == [True], result.left
    return result


def test_a_patcher_that_is_started_by_hand_is_left() -> None:
    left(
        """class TestRecall:
    def setup_method(self):
        self.patcher = patch("app.cache.client")
        self.client = self.patcher.start()

    def teardown_method(self):
        self.patcher.stop()

    def test_recall(self):
        self.client.get.return_value = b"1"
        assert cache.recall("x") == "1"
""",
        "a patcher is started by hand",
    )


_WITH_SPEC = """import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession


async def top(db):
    return await db.fetch("SELECT id, name FROM users ORDER BY name")


async def fill(db, rows):
    await db.executemany("INSERT INTO users (email, name) VALUES ($1, $2)", rows)


@pytest.fixture
def db():
    return create_autospec(asyncpg.Connection, instance=True)


"""


def test_the_spec_tells_the_client() -> None:
    result = convert(
        "from unittest.mock import create_autospec\n"
        + _WITH_SPEC
        + """async def test_top(db):
    db.fetch = AsyncMock(return_value=[{"id": 1, "name": "a"}])
    assert len(await top(db)) == 1
"""
    )
    assert (result.converted, result.left) == (["test_top"], [])
    assert "async def test_top(isolated_database):" in result.after
    assert "isolated_session" not in result.after


def test_rows_of_executemany_are_not_the_columns_of_one() -> None:
    left(
        "from unittest.mock import create_autospec\n"
        + _WITH_SPEC
        + """async def test_fill(db):
    await fill(db, [("a", "A"), ("b", "B")])
    db.executemany.assert_awaited_once()
""",
        "what each of its rows leaves cannot be told",
    )


_CURSOR = """@pytest.fixture
def cursor():
    return MagicMock()


@pytest.fixture
def conn(cursor):
    conn = MagicMock()
    conn.cursor.return_value.__enter__.return_value = cursor
    return conn


"""


def test_a_cursor_of_its_own_fixture_tells_the_rows() -> None:
    result = convert(
        _CURSOR
        + """def test_notes(conn, cursor):
    cursor.fetchall.return_value = [(1, "hello")]
    store = notes.NoteStore(conn)
    assert store.by_author("ann") == [(1, "hello")]
    cursor.execute.assert_called_once()
"""
    )
    assert (result.converted, result.left) == (["test_notes"], [])
    assert "def test_notes(isolated_psycopg):" in result.after
    assert "INSERT INTO notes" in result.after
    assert "MagicMock()" not in result.after


def test_a_cursor_that_is_handed_over_by_itself_is_left() -> None:
    left(
        _CURSOR
        + """def test_notes(conn, cursor):
    cursor.fetchall.return_value = [(1, "hello")]
    store = notes.NoteStore(conn)
    assert store.by_author("ann") == [(1, "hello")]
    print(cursor)
""",
        "a part of another mock by itself",
    )


def test_twice_is_as_once() -> None:
    result = convert(
        _CURSOR
        + """def test_pin(conn, cursor):
    cursor.rowcount = 1
    assert notes.NoteStore(conn).pin(3)
    conn.commit.assert_called_once_with()
"""
    )
    assert result.converted == ["test_pin"]
    _, _, after = result.after.partition("\n\n\n")
    again = convert(after)
    assert again.after == again.before


def test_a_mock_beside_the_real_service_is_left() -> None:
    left(
        """async def test_pay(isolated_database):
    db = AsyncMock()
    db.fetchrow.return_value = {"id": 1, "name": "Ann"}
    assert (await UserService(db).get_user(1))["name"] == "Ann"
""",
        "the test has the real service already",
    )


def test_a_mock_of_which_nothing_tells_what_it_is_is_listed() -> None:
    left(
        """@pytest.fixture
def thing():
    return MagicMock()


def test_pin(thing):
    assert not notes.NoteStore(thing).pin(3)
""",
        "cannot be told whether this mock stands for it",
    )


def test_a_mock_of_the_projects_own_beside_a_real_service_is_not_listed() -> None:
    result = convert(
        """def test_pin(isolated_psycopg):
    rates = MagicMock()
    assert not notes.NoteStore(isolated_psycopg).pin(rates.number)
"""
    )
    assert (result.converted, result.left) == ([], [])


_FORGET = """from sqlalchemy import delete


def forget(session, name):
    session.execute(delete(Author).where(Author.name == name))
    session.commit()


def test_forget():
    session = MagicMock()
    forget(session, "Ann")
    session.execute.assert_called_once()
    session.commit.assert_called_once()
"""


def test_what_would_assert_nothing_is_left() -> None:
    left(_FORGET, "'execute' was called leaves no trace, and the test would assert nothing any more")


def test_an_assertion_of_its_own_is_enough() -> None:
    result = convert(_FORGET.replace('    forget(session, "Ann")', '    assert forget(session, "Ann") is None'))
    assert (result.converted, result.left) == (["test_forget"], [])


_QUEUE = """import redis


def enqueue(client, job):
    client.rpush("jobs", job)
    return client.llen("jobs")


def waiting(client, job):
    waiting = client.llen("jobs")
    client.rpush("jobs", job)
    return waiting


def test_queue():
    client = MagicMock()
    client.llen.return_value = 1
    assert enqueue(client, "x") == 1
"""


def test_a_read_after_the_codes_own_write_is_left() -> None:
    left(_QUEUE, "the code writes 'jobs' itself before it reads it")


def test_a_read_before_the_codes_own_write_is_converted() -> None:
    result = convert(_QUEUE.replace('enqueue(client, "x")', 'waiting(client, "x")'))
    assert (result.converted, result.left) == (["test_queue"], [])
    assert 'isolated_redis_sync.rpush("jobs", *["x"] * 1)' in result.after


_TAKE = """import asyncpg


async def take(db, number, count, price):
    await db.execute("UPDATE products SET stock = stock - $1 WHERE id = $2", count, number)
    await db.fetchval("INSERT INTO products (sku, price) VALUES ($1, $2) RETURNING id", "a1", price * count)


async def take_some(db, number, count):
    await db.execute("UPDATE products SET stock = stock - $1 WHERE id = $2 AND stock >= $1", count, number)


"""


def test_a_number_that_is_lowered_and_not_told_is_left() -> None:
    left(
        _TAKE
        + """async def test_take():
    db = AsyncMock()
    await take(db, 3, 2, 5)
    db.execute.assert_awaited_once()
""",
        "the code lowers stock, and nothing tells what it is before",
    )


def test_a_number_that_is_lowered_is_not_afterwards_what_it_was() -> None:
    result = convert(
        _TAKE
        + """async def test_take():
    db = AsyncMock(spec=asyncpg.Connection)
    await take_some(db, 3, 2)
    db.execute.assert_awaited_once()
"""
    )
    assert (result.converted, result.left) == (["test_take"], [])
    assert '"SELECT count(*) FROM products WHERE id = $1", 3) == 1' in result.after


def test_a_row_that_a_variable_tells_of_is_left() -> None:
    left(
        """@pytest.mark.parametrize("status", ["DELETE 1", "DELETE 0"])
async def test_remove(status):
    db = AsyncMock()
    db.execute.return_value = status
    assert await UserService(db).remove(5) is (status == "DELETE 1")
""",
        "whether a row is found depends on a variable",
    )


def test_an_asserted_argument_that_is_not_compared_is_a_todo() -> None:
    result = convert(
        """async def put(db, price, count):
    return await db.fetchval("INSERT INTO products (sku, price) VALUES ($1, $2) RETURNING id", "a1", price * count)


async def test_put():
    db = AsyncMock()
    db.fetchval.return_value = 7
    assert await put(db, 5, 5) == 7
    db.fetchval.assert_awaited_once_with(ANY, "a1", 25)
"""
    )
    assert (result.converted, result.left) == (["test_put"], [])
    assert "    # TODO: assert 25, which the statement was to be sent with\n" in result.after
    assert 'TODO: assert "a1"' not in result.after


def test_that_nothing_is_committed_is_told_as_gone() -> None:
    result = convert(
        """def test_pin():
    conn = MagicMock()
    conn.cursor.return_value.__enter__.return_value.rowcount = 0
    assert not notes.NoteStore(conn).pin(3)
    conn.commit.assert_not_called()
"""
    )
    assert result.notes == [
        "test_pin: line 16: that nothing was committed cannot be seen from the rows alone; the assertion is gone"
    ]
    assert "isolated_database_sync" not in result.after


def test_a_name_that_would_be_lost_is_told() -> None:
    left(
        """from app import rates


@patch("app.rates.httpx.get")
def test_latest(get):
    response = MagicMock()
    response.status_code = 200
    response.json.return_value = {"rate": 4}
    get.return_value = response
    assert rates.latest("USD") == 4
    assert response.status_code == 200
""",
        "the test uses a part of the mock by itself",
    )
