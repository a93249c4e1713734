"""A comparison on real PostgreSQL and Redis, with the package as it is installed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.mocks.verify_project import PYPROJECT, Project, installed_once, results

_USERS = '''\
import asyncio

import asyncpg


class EmailTaken(Exception):
    pass


async def create(database, redis, email, ttl=60):
    """Make a user."""
    try:
        async with database.transaction():
            new = await database.fetchval("INSERT INTO users (email) VALUES ($1) RETURNING id", email)
    except asyncpg.UniqueViolationError as error:
        raise EmailTaken(email) from error
    await redis.set(f"user:{new}", email, ex=ttl)
    return new


async def rename(database, user, email):
    return await database.execute("UPDATE users SET email = $2 WHERE id = $1", user, email) == "UPDATE 1"


async def save(url, email):
    database = await asyncpg.connect(url)
    transaction = database.transaction()
    await transaction.start()
    await database.execute("INSERT INTO users (email) VALUES ($1)", email)
    await transaction.commit()
    await database.close()


async def wait(n, pause):
    while n > 0:
        n -= 1
        await asyncio.sleep(pause)
    return n
'''
_OLD = """\
from unittest.mock import AsyncMock, MagicMock, patch

from shop.users import create, rename, save, wait


async def test_create():
    database, redis = AsyncMock(), AsyncMock()
    database.transaction = MagicMock()
    database.fetchval.return_value = 1
    assert await create(database, redis, "a@example.com") == 1
    redis.set.assert_awaited_once_with("user:1", "a@example.com", ex=60)


async def test_rename():
    database = AsyncMock()
    database.execute.return_value = "UPDATE 1"
    assert await rename(database, 1, "b@example.com")


async def test_save():
    database = AsyncMock()
    database.transaction = MagicMock(return_value=AsyncMock())
    with patch("asyncpg.connect", AsyncMock(return_value=database)):
        await save("postgresql:///", "a@example.com")


async def test_wait():
    assert await wait(3, 0.01) == 0
"""
_NEW = """\
import pytest

from shop.users import EmailTaken, create, rename, save, wait


async def test_create(isolated_database, isolated_redis):
    user = await create(isolated_database, isolated_redis, "a@example.com")
    assert await isolated_database.fetchval("SELECT email FROM users WHERE id = $1", user) == "a@example.com"
    assert await isolated_redis.get(f"user:{user}") == "a@example.com"
    with pytest.raises(EmailTaken):
        await create(isolated_database, isolated_redis, "a@example.com")


async def test_rename(isolated_database, isolated_redis):
    user, _ = [await create(isolated_database, isolated_redis, f"{name}@example.com") for name in "ab"]
    assert await rename(isolated_database, user, "c@example.com")
    assert await isolated_database.fetchval("SELECT email FROM users WHERE id = $1", user) == "c@example.com"


async def test_save(cloned_database):
    await save(cloned_database.url, "a@example.com")
    connection = await cloned_database.connect()
    assert await connection.fetchval("SELECT email FROM users") == "a@example.com"


async def test_wait(isolated_redis):
    assert await wait(3, 0.01) == 0
"""
_DECLARED = """\
[tool.pytest.ini_options]
asyncio_mode = "auto"

[tool.realservices.services.db]
kind = "postgres"
migrations = ["migrations/*.sql"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of which each comparison may run."""
    directory = tmp_path_factory.mktemp("services")
    project = Project(directory / "project", {"shop/users.py": _USERS, "tests/test_users.py": _NEW})
    project.write({"tests/mocked_test_users.py": _OLD, "pyproject.toml": PYPROJECT + _DECLARED})
    project.write({"migrations/1.sql": "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE);\n"})
    project.use(installed_once(tmp_path_factory.getbasetemp()))
    return project


@pytest.fixture(scope="module")
def found(project: Project) -> dict[str, Any]:
    """The comparison of the whole."""
    begin = time.monotonic()
    found = project.compare("tests/test_users.py", code=1)
    print(
        f"{len(found['mutants'])} mutants, {found['mutants_per_s']} a second, {time.monotonic() - begin:.1f} s in all"
    )
    return found


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("SQL column changed", 'new = await database.fetchval("INSERT INTO users (x_email) VALUES ($1) RETURNING id", email)'),
        ("SQL WHERE dropped", 'return await database.execute("UPDATE users SET email = $2 WHERE 1 = 1 OR id = $1", user, email) == "UPDATE 1"'),
        ("SQL condition changed", 'return await database.execute("UPDATE users SET email = $2 WHERE id <> $1", user, email) == "UPDATE 1"'),
        ("commit dropped", "pass"),
        ("exception not handled", "except () as error:"),
    ],
)  # fmt: skip
def test_only_the_real_service_notices(found: dict[str, Any], change: str, line: str) -> None:
    assert results(found)[change, line] == "gained"


def test_only_the_mock_noticed(found: dict[str, Any]) -> None:
    lost = {(each["line"], each["change"]) for each in found["mutants"] if each["result"] == "lost"}
    assert (17, "Redis time to live changed") in lost
    assert found["verdict"] == "lost"
    assert {change for _, change in lost} <= {"Redis time to live changed", "constant changed"}


def test_hanging_tests_are_ended_and_their_services_serve_on(found: dict[str, Any]) -> None:
    hanging = [each for each in found["mutants"] if each["new"]["by"] == "the process ended in time-out"]
    assert [(each["line"], each["change"]) for each in hanging] == [(36, "statement removed")]
    assert all(each["result"] == "kept" for each in hanging)


def test_services_are_kept_over_the_mutants(found: dict[str, Any]) -> None:
    seconds = sorted(each["new"]["seconds"] for each in found["mutants"] if each["new"]["sight"] != "not run")
    assert seconds[len(seconds) // 2] < 2.0


def test_many_killed_processes_use_nothing_up(project: Project) -> None:
    project.write({
        "shop/kill.py": "import os\n\n\ndef f(armed):\n" + "".join(
            ["    if armed:\n        os.kill(os.getpid(), 9)\n"] * 20
        ),
        "tests/mocked_test_kill.py": "from shop.kill import f\n\n\ndef test_f():\n    f(False)\n",
        "tests/test_kill.py": "from shop.kill import f\n\n\nasync def test_f(isolated_redis, cloned_database):\n"
        "    await isolated_redis.set('a', 'b')\n    f(False)\n",
    })  # fmt: skip
    found = project.compare("tests/test_kill.py")
    killed = [each for each in found["mutants"] if each["new"]["by"] == "the process ended by signal 9"]
    assert len(killed) == 20


def test_the_bug_that_a_mock_hides_is_said_first(project: Project) -> None:
    broken = _USERS.replace("(email) VALUES ($1) RETURNING", "(mail) VALUES ($1) RETURNING")
    project.write({"shop/users.py": broken})
    try:
        done = project.run("tests/test_users.py")
    finally:
        project.write({"shop/users.py": _USERS})
    assert done.returncode == 1
    assert '  test_create: asyncpg.exceptions.UndefinedColumnError: column "mail" of relation "users"' in done.stdout


def test_no_server_is_an_error_and_no_skip(project: Project, tmp_path: Path) -> None:
    project.variables["REALSERVICES_POSTGRES"] = str(tmp_path / "none")
    try:
        done = project.run("tests/test_users.py")
    finally:
        del project.variables["REALSERVICES_POSTGRES"]
    assert done.returncode == 1
    assert "the new test fails before anything is broken" in done.stdout
    assert str(tmp_path / "none") in done.stdout
