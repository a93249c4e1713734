"""Tests that would see each other if isolation failed: each finds everything new, and leaves what betrays it.

Any two of them, in any order, fail together if anything reaches from one into the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.isolation.postgres.drivers.faces import Face

_COPIES = pytest.mark.parametrize("copy", range(3))
_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"


@_COPIES
async def test_rows_and_sequences(face: Face, copy: int) -> None:
    assert await face.value("SELECT string_agg(text, ' ') FROM note") == "first"
    assert await face.value("INSERT INTO note (text) VALUES ('mine') RETURNING id") == 2
    await face.run("UPDATE note SET text = 'other' WHERE id = 1", "INSERT INTO feeling VALUES ('sad')")


@_COPIES
async def test_settings(face: Face, copy: int) -> None:
    async with face.transaction() as run:
        assert await run("SHOW search_path") == '"$user", public'
        assert await run("SHOW TimeZone") != "Asia/Tokyo"
        assert await run("SELECT current_setting('app.tenant', true)") is None
        await run("SET search_path = pg_catalog")
        await run("SET TimeZone = 'Asia/Tokyo'")
        await run("SET app.tenant = 'mine'")
        await run("SET ROLE pg_monitor")


@_COPIES
async def test_local_settings_of_the_application(face: Face, copy: int) -> None:
    async with face.transaction() as run:
        assert await run("SELECT current_setting('app.tenant', true)") is None
        assert await run("SELECT set_config('app.tenant', 'mine', true)") == "mine"


_LEFT = {
    "setting": ("SELECT current_setting('work_mem') = '123kB'", "SET work_mem = '123kB'"),
    "role": ("SELECT current_user = 'pg_monitor'", "SET ROLE pg_monitor"),
    "temporary table": ("SELECT to_regclass('passing') IS NOT NULL", "CREATE TEMP TABLE passing (id int)"),
    "listener": ("SELECT count(*) > 0 FROM pg_listening_channels()", "LISTEN news"),
    "prepared statement": (
        "SELECT count(*) > 0 FROM pg_prepared_statements WHERE name = 'mine'",
        "PREPARE mine AS SELECT 1",
    ),
    "cursor": ("SELECT count(*) > 0 FROM pg_cursors WHERE is_holdable", "DECLARE held CURSOR WITH HOLD FOR SELECT 1"),
    "lock": (f"SELECT ({_LOCKS}) > 0", "SELECT pg_advisory_lock(7)"),
}


@_COPIES
@pytest.mark.parametrize("left", _LEFT)
async def test_what_a_session_has(face: Face, left: str, copy: int) -> None:
    is_there, leave = _LEFT[left]
    assert await face.value(is_there) is False
    await face.run(leave)
    assert await face.value(is_there) is True


@_COPIES
async def test_schema(face: Face, copy: int) -> None:
    assert await face.value("SELECT to_regclass('mine')::text") is None
    await face.run("CREATE TABLE mine (id int)", "ALTER TABLE note ADD COLUMN mine int")


@_COPIES
async def test_prepared_transactions(face: Face, copy: int) -> None:
    if await face.value("SHOW max_prepared_transactions") == "0":
        pytest.skip("the server has none")
    assert await face.value("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()") == 0
    assert await face.value("SELECT count(*) FROM note") == 1
    await face.run("INSERT INTO note (text) VALUES ('mine')", "PREPARE TRANSACTION 'mine'")


@_COPIES
async def test_transaction_that_is_left_open(face: Face, copy: int) -> None:
    assert await face.value("SELECT count(*) FROM note") == 1
    context: Any = face.transaction()
    run = await context.__aenter__()
    await run("INSERT INTO note (text) VALUES ('mine')")
    left_open.append(context)


left_open: list[Any] = []
"""So that nothing ends them but the end of their test."""
