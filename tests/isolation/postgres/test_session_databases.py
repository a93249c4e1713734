"""A session's databases on a PostgreSQL that somebody else runs: what it needs, and what it clears away."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation import session_databases
from realservices.kinds.postgres.isolation.administration import Administration, connect_kwargs
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.kinds.postgres.isolation.session_databases import SessionDatabases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases

    Make = Callable[..., SessionDatabases]

_DEADLINE_S = 60.0


@pytest.fixture
def make(postgres_endpoint: Endpoint, background: BackgroundLoop, tmp_path: Path) -> Make:
    """Make a session on the target's own server, as if it were somebody else's."""

    def make_session(token: str = "0123456789ab", **changes: Any) -> SessionDatabases:
        endpoint = dataclasses.replace(postgres_endpoint, disposable=False, socket="", **changes)
        directory = tmp_path / f"session.{token}"
        directory.mkdir(exist_ok=True)
        return SessionDatabases(endpoint, background, str(directory))

    return make_session


async def _names(endpoint: Endpoint, pattern: str = "^realservices_[0-9a-f]{12}_") -> list[str]:
    administration = Administration(endpoint)
    rows = await administration.fetch(f"SELECT datname FROM pg_database WHERE datname ~ '{pattern}' ORDER BY 1")
    await administration.close(finish=True)
    return [row[0] for row in rows]


async def _execute(endpoint: Endpoint, *statements: str) -> None:
    administration = Administration(endpoint)
    for statement in statements:
        await administration.execute(statement)
    await administration.close(finish=True)


async def test_processes_of_a_session_share_one_template(make: Make, postgres_endpoint: Endpoint) -> None:
    sessions = [make() for _ in range(4)]
    prepared = await asyncio.gather(*(asyncio.to_thread(session.prepare) for session in sessions))
    assert {endpoint.template_database for endpoint in prepared} == {"realservices_0123456789ab_template"}
    assert await _names(postgres_endpoint) == ["realservices_0123456789ab_template"]
    sessions[0].remove()
    assert await _names(postgres_endpoint) == []
    for session in sessions:
        session.close()


async def test_databases_of_the_dead_go_and_those_of_the_living_stay(make: Make, postgres_endpoint: Endpoint) -> None:
    await _execute(
        postgres_endpoint, "CREATE DATABASE realservices_dead00dead00_1_ab_1", "CREATE DATABASE realservices"
    )
    living = [make(f"{number:012x}") for number in range(4)]
    await asyncio.gather(*(asyncio.to_thread(session.prepare) for session in living))
    assert await _names(postgres_endpoint) == [f"{session.owner}_template" for session in living]
    living[0].close()
    living[1].remove()
    living[1].close()
    next_one = make("a" * 12)
    next_one.prepare()
    assert await _names(postgres_endpoint) == [f"{session.owner}_template" for session in (*living[2:], next_one)]
    for session in (*living[2:], next_one):
        session.remove()
        session.close()
    assert await _names(postgres_endpoint, "^realservices$") == ["realservices"]
    await _execute(postgres_endpoint, "DROP DATABASE realservices")


async def test_an_original_in_use_names_its_clients(
    make: Make, postgres_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_databases, "_BUSY_TIMEOUT_S", 0.0)
    arguments = connect_kwargs(postgres_endpoint, str(postgres_endpoint.database))
    client = await asyncpg.connect(**arguments, server_settings={"application_name": "billing worker"})
    session = make()
    with pytest.raises(IsolationError, match=r"cannot be copied .*\n    billing worker \(pid \d+, user test, from"):
        await asyncio.to_thread(session.prepare)
    await client.close()
    session.close()


async def test_waits_for_clients_that_are_about_to_leave(make: Make, postgres_endpoint: Endpoint) -> None:
    client = await asyncpg.connect(**connect_kwargs(postgres_endpoint, str(postgres_endpoint.database)))
    session = make()
    preparing = asyncio.create_task(asyncio.to_thread(session.prepare))
    watcher = await asyncpg.connect(**connect_kwargs(postgres_endpoint, "postgres"))
    async with asyncio.timeout(_DEADLINE_S):
        while not await watcher.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%'"):
            await asyncio.sleep(0)
    await client.close()
    template = (await preparing).template_database
    assert await watcher.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", template) == 1
    await watcher.close()
    session.remove()
    session.close()


@pytest.mark.parametrize(
    ("role", "changes", "message"),
    [
        ("LOGIN", {}, r'ALTER ROLE "stranger" CREATEDB'),
        ("LOGIN CREATEDB", {}, r'ALTER DATABASE "test" WITH IS_TEMPLATE true .* OWNER TO "stranger"'),
        ("LOGIN CREATEDB", {"database": "nowhere"}, r"TEST_POSTGRES_DB names .* create it first"),
        ("LOGIN", {"password": "wrong"}, r"Correct TEST_POSTGRES_USER \('stranger'\) and TEST_POSTGRES_PASSWORD"),
        ("LOGIN", {"port": 1}, r"TEST_POSTGRES_HOST must be a PostgreSQL that serves"),
    ],
)
async def test_what_the_server_refuses(
    make: Make, postgres_endpoint: Endpoint, role: str, changes: dict[str, Any], message: str
) -> None:
    await _execute(postgres_endpoint, f"CREATE ROLE stranger {role} PASSWORD 'secret'")
    session = make(**{"user": "stranger", "password": "secret", **changes})
    try:
        with pytest.raises(IsolationError, match=message):
            await asyncio.to_thread(session.prepare)
    finally:
        session.close()
        await _execute(postgres_endpoint, "DROP ROLE stranger")


@pytest.mark.parametrize(("kind", "of_superusers"), [("SUPERUSER", ["north", "all"]), ("CREATEDB", [None, "none"])])
async def test_settings_of_the_original_reach_every_copy(
    make: Make,
    postgres_endpoint: Endpoint,
    background: BackgroundLoop,
    none_ready: ReadyDatabases,
    kind: str,
    of_superusers: list[str | None],
) -> None:
    await _execute(
        postgres_endpoint,
        f"CREATE ROLE ci LOGIN {kind} PASSWORD 'secret'",
        "CREATE DATABASE ci_test OWNER ci",
        "ALTER DATABASE ci_test SET app.region = 'north'",
        "ALTER DATABASE ci_test SET log_statement = 'all'",
        "ALTER DATABASE ci_test SET search_path = app, public",
        "ALTER ROLE ci IN DATABASE ci_test SET work_mem = '5MB'",
        "REVOKE TEMP ON DATABASE ci_test FROM PUBLIC",
    )
    session = make(user="ci", password="secret", database="ci_test")
    endpoint = await asyncio.to_thread(session.prepare)
    pool = ClonePool(endpoint, background, none_ready, session.owner)
    connection = await asyncpg.connect(**(await asyncio.wrap_future(pool.make())).connect_kwargs)
    names = ("search_path", "work_mem", "app.region", "log_statement")
    settings = [await connection.fetchval("SELECT current_setting($1, true)", name) for name in names]
    assert settings == ["app, public", "5MB", *of_superusers]
    assert not await connection.fetchval("SELECT has_database_privilege('public', current_database(), 'TEMP')")
    await connection.close()
    pool.close(drop=True, timeout_s=60)
    session.remove()
    session.close()
    await _execute(postgres_endpoint, "DROP DATABASE ci_test", "DROP ROLE ci")


async def test_a_plain_owner_needs_no_more_than_createdb(make: Make, postgres_endpoint: Endpoint) -> None:
    await _execute(
        postgres_endpoint,
        "CREATE ROLE ci LOGIN CREATEDB PASSWORD 'secret'",
        "CREATE DATABASE ci_test OWNER ci",
        "CREATE DATABASE realservices_ffffffffffff_1_ab_1",
    )
    session = make(user="ci", password="secret", database="ci_test")
    assert session.prepare().template_database == "realservices_0123456789ab_template"
    # Somebody else's are not this role's to drop.
    assert "realservices_ffffffffffff_1_ab_1" in await _names(postgres_endpoint)
    session.remove()
    session.close()
    await _execute(
        postgres_endpoint,
        "DROP DATABASE ci_test",
        "DROP DATABASE realservices_ffffffffffff_1_ab_1",
        "DROP ROLE ci",
    )
