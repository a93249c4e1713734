"""Each driver behaves as it does in production: its commits are real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.isolation.postgres.drivers.faces import Face

NOTES = "SELECT count(*) FROM note"


class _UndoError(Exception):
    pass


async def test_commit_is_seen_by_another_connection(face: Face, other: Any) -> None:
    await face.run("INSERT INTO note (text) VALUES ('new')")
    assert await other.fetchval(NOTES) == 2


async def test_commit_of_another_connection_is_seen(face: Face, other: Any) -> None:
    await other.execute("INSERT INTO note (text) VALUES ('new')")
    assert await face.value(NOTES) == 2


async def test_rollback_undoes(face: Face, other: Any) -> None:
    async def insert_and_fail() -> None:
        async with face.transaction() as run:
            await run("INSERT INTO note (text) VALUES ('new')")
            raise _UndoError

    with pytest.raises(_UndoError):
        await insert_and_fail()
    assert await other.fetchval(NOTES) == 1
    assert await face.value(NOTES) == 1


async def test_open_transaction_is_not_seen(face: Face, other: Any) -> None:
    async with face.transaction() as run:
        await run("INSERT INTO note (text) VALUES ('new')")
        assert await other.fetchval(NOTES) == 1


async def test_savepoint(face: Face, other: Any) -> None:
    await face.run(
        "INSERT INTO note (text) VALUES ('kept')",
        "SAVEPOINT here",
        "INSERT INTO note (text) VALUES ('undone')",
        "ROLLBACK TO SAVEPOINT here",
    )
    assert [row[0] for row in await other.fetch("SELECT text FROM note ORDER BY id")] == ["first", "kept"]


async def test_now_moves_on(face: Face) -> None:
    before = await face.value("SELECT now()")
    assert await face.value("SELECT now()") > before


async def test_isolation_level_holds(face: Face, other: Any) -> None:
    async with face.transaction() as run:
        await run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert await run(NOTES) == 1
        await other.execute("INSERT INTO note (text) VALUES ('new')")
        assert await run(NOTES) == 1
    assert await face.value(NOTES) == 2


async def test_deferred_constraint_refuses_at_commit(face: Face, other: Any) -> None:
    with pytest.raises(Exception, match="violates foreign key constraint"):
        await face.run("INSERT INTO note (text, of) VALUES ('new', 99)")
    assert await other.fetchval(NOTES) == 1


async def test_deferred_constraint_is_met_before_commit(face: Face) -> None:
    await face.run("INSERT INTO note (text, of) VALUES ('new', 99)", "INSERT INTO note (id, text) VALUES (99, 'late')")
    assert await face.value(NOTES) == 3


async def test_local_setting_ends_with_its_transaction(face: Face) -> None:
    await face.run("SET LOCAL work_mem = '123kB'")
    assert await face.value("SHOW work_mem") != "123kB"


async def test_temporary_table_ends_with_its_transaction(face: Face) -> None:
    async with face.transaction() as run:
        await run("CREATE TEMP TABLE passing (id int) ON COMMIT DROP")
        await run("INSERT INTO passing VALUES (1)")
        assert await run("SELECT count(*) FROM passing") == 1
    assert await face.value("SELECT to_regclass('passing')::text") is None


async def test_new_value_of_an_enum_is_usable(face: Face) -> None:
    await face.run("ALTER TYPE mood ADD VALUE 'glad'")
    await face.run("INSERT INTO feeling VALUES ('glad')")
    assert await face.value("SELECT mood::text FROM feeling") == "glad"


async def test_procedure_commits(face: Face, other: Any) -> None:
    await face.alone("CALL note_twice()")
    assert [row[0] for row in await other.fetch("SELECT text FROM note ORDER BY id")] == ["first", "one"]


async def test_what_no_transaction_may_hold(face: Face) -> None:
    await face.alone("VACUUM note")
    assert await face.value(NOTES) == 1


async def test_schema_may_change(face: Face, other: Any) -> None:
    await face.run("ALTER TABLE note ADD COLUMN seen boolean")
    assert await other.fetchval("SELECT seen FROM note") is None
    assert await face.value("SELECT seen FROM note") is None


async def test_failed_transaction_is_over_after_rollback(face: Face) -> None:
    with pytest.raises(Exception, match="does not exist"):
        await face.run("SELECT * FROM missing")
    assert await face.value(NOTES) == 1
