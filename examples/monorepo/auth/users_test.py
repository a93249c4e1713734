"""Users in a real PostgreSQL, each test in a transaction that is rolled back."""

from __future__ import annotations

import asyncpg
import pytest

from auth.errors import EmailTakenError
from auth.testing import DatabaseConnection
from auth.users import Users

pytestmark = pytest.mark.requires_postgres


@pytest.fixture
def users(isolated_database: DatabaseConnection) -> Users:
    return Users(isolated_database)


async def test_created_user_is_found(users: Users) -> None:
    user = await users.create(email="Ada@Example.com", password_hash="$")
    assert user.email == "Ada@Example.com"
    assert user.last_login_at is None
    assert await users.find(user.id) == user
    assert await users.find_by_email("ada@example.COM") == user


async def test_unknown_user_is_not_found(users: Users) -> None:
    assert await users.find(2**40) is None
    assert await users.find_by_email("ada@example.com") is None


@pytest.mark.parametrize("again", range(4))
async def test_every_test_finds_the_address_free(
    users: Users, isolated_database: DatabaseConnection, again: int
) -> None:
    await users.create(email="ada@example.com", password_hash=f"{again}")
    assert await isolated_database.fetchval("SELECT array_agg(password_hash) FROM users") == [f"{again}"]


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com", "ada@EXAMPLE.COM"])
async def test_address_is_unique_in_any_case(users: Users, isolated_database: DatabaseConnection, email: str) -> None:
    await users.create(email="ada@example.com", password_hash="$")
    with pytest.raises(EmailTakenError):
        async with isolated_database.transaction():
            await users.create(email=email, password_hash="$")
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == 1


async def test_look_up_by_address_is_served_by_the_index(isolated_database: DatabaseConnection) -> None:
    await isolated_database.execute("SET enable_seqscan = off")  # three rows would not be worth an index
    plan = await isolated_database.fetch("EXPLAIN SELECT * FROM users WHERE lower(email) = lower('ada@example.com')")
    assert "users_email_unique" in "".join(row[0] for row in plan)


@pytest.mark.parametrize(
    "email",
    [
        "' OR '1'='1",
        "x'; DROP TABLE users; --@example.com",
        "ada@example.com' UNION SELECT 1, 'x@y', '', now(), now() --",
        "%@%",
        "$1",
    ],
)
async def test_address_is_never_part_of_the_statement(users: Users, email: str) -> None:
    ada = await users.create(email="ada@example.com", password_hash="$")
    assert await users.find_by_email(email) is None
    assert await users.find(ada.id) == ada


@pytest.mark.parametrize("email", ["", "ada", "@example.com", "ada@", "a@" + "b" * 253])
async def test_database_itself_refuses_what_is_no_address(users: Users, email: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await users.create(email=email, password_hash="$")


async def test_password_hash_is_replaced_only_if_nobody_else_did(users: Users) -> None:
    user = await users.create(email="ada@example.com", password_hash="old")
    assert await users.set_password_hash(user.id, "new", previous="old")
    assert not await users.set_password_hash(user.id, "late", previous="old")
    found = await users.find(user.id)
    assert found is not None
    assert found.password_hash == "new"


async def test_login_is_noted_for_one_user(users: Users) -> None:
    ada = await users.create(email="ada@example.com", password_hash="$")
    bob = await users.create(email="bob@example.com", password_hash="$")
    await users.record_login(ada.id)
    after = [await users.find(user.id) for user in (ada, bob)]
    assert [user is not None and user.last_login_at is not None for user in after] == [True, False]
