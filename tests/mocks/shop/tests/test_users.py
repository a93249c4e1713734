"""Users on a mocked connection."""

from unittest.mock import AsyncMock, MagicMock

import pytest

from app.users import UserService


@pytest.fixture
def mock_db():
    db = AsyncMock()
    db.execute = AsyncMock(return_value=None)
    db.fetchrow = AsyncMock(return_value={"id": 1, "email": "ann@example.com", "name": "Ann"})
    db.fetchval = AsyncMock(return_value=7)
    return db


@pytest.fixture
def service(mock_db):
    return UserService(mock_db)


async def test_create_user(mock_db):
    """A new user gets an id."""
    service = UserService(mock_db)
    user_id = await service.create_user("new@example.com")
    assert user_id == 7
    mock_db.fetchval.assert_called_once()


async def test_get_user(service, mock_db):
    user = await service.get_user(1)
    assert user["email"] == "ann@example.com"
    mock_db.fetchrow.assert_awaited_once()


async def test_get_user_as_a_whole(service):
    user = await service.get_user(1)
    assert user == {"id": 1, "email": "ann@example.com", "name": "Ann"}


async def test_missing_user(service, mock_db):
    mock_db.fetchrow.return_value = None
    assert await service.get_user(99) is None


async def test_register(service, mock_db):
    # nobody has that address yet
    mock_db.fetchrow.return_value = None
    await service.register("bob@example.com", "Bob")
    mock_db.execute.assert_awaited_once_with(
        "INSERT INTO users (email, name) VALUES ($1, $2)", "bob@example.com", "Bob"
    )


async def test_register_taken(service, mock_db):
    with pytest.raises(ValueError, match="taken"):
        await service.register("ann@example.com", "Ann")
    mock_db.execute.assert_not_called()


class TestFinding:
    async def test_find(self):
        db = MagicMock()
        row = {"id": 3, "email": "cid@example.com", "name": "Cid"}
        db.fetchrow = AsyncMock(return_value=row)
        result = await UserService(db).find("cid@example.com")
        assert result == row

    async def test_find_nobody(self):
        db = AsyncMock()
        db.fetchrow.return_value = None
        assert await UserService(db).find("x@example.com") is None

    async def test_active(self, mock_db):
        mock_db.fetch.return_value = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}]
        assert await UserService(mock_db).active() == ["Ann", "Bob"]


async def test_rename(mock_db):
    mock_db.execute.return_value = "UPDATE 1"
    assert await UserService(mock_db).rename(5, "Eve")
    mock_db.execute.assert_called_once()


async def test_rename_nobody(mock_db):
    mock_db.execute.return_value = "UPDATE 0"
    assert not await UserService(mock_db).rename(5, "Eve")


async def test_remove(mock_db):
    mock_db.execute = AsyncMock(return_value="DELETE 1")
    assert await UserService(mock_db).remove(5) is True
    mock_db.execute.assert_awaited_once_with("DELETE FROM users WHERE id = $1", 5)


async def test_count(mock_db):
    mock_db.fetchval.return_value = 3
    assert await UserService(mock_db).count() == 3


@pytest.mark.parametrize("found", [True])
async def test_exists(mock_db, found):
    mock_db.fetchval.return_value = True
    assert await UserService(mock_db).exists("a@example.com") is found


async def test_database_is_down(mock_db):
    mock_db.fetchrow.side_effect = ConnectionError("down")
    with pytest.raises(ConnectionError):
        await UserService(mock_db).get_user(1)


def test_plain():
    assert UserService(None).db is None
