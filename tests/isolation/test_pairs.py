"""Tests that would see each other if isolation failed: each asserts that it is alone and leaves what betrays it.

Any two of them, in any order, in one shard or worker or in several, repeated or not, fail together if rows, keys or
files of one reach another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from realservices.clients.isolated_filesystem import BlockingFilesystem, IsolatedFilesystem
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase

_COPIES = pytest.mark.parametrize("copy", range(4))
_TABLE = "CREATE TABLE IF NOT EXISTS ledger (entry text PRIMARY KEY)"


async def _be_alone_in(connection: Any) -> None:
    await connection.execute(_TABLE)
    assert await connection.fetchval("SELECT count(*) FROM ledger") == 0
    await connection.execute("INSERT INTO ledger VALUES ($1)", "only")


@_COPIES
async def test_rows(isolated_database: Any, copy: int) -> None:
    await _be_alone_in(isolated_database)


@_COPIES
async def test_committed_rows(isolated_database: Any, copy: int) -> None:
    async with isolated_database.transaction():
        await _be_alone_in(isolated_database)
    await isolated_database.execute("BEGIN; INSERT INTO ledger VALUES ('another'); COMMIT")


@_COPIES
def test_rows_without_a_loop(isolated_database_sync: Any, copy: int) -> None:
    isolated_database_sync.execute(_TABLE)
    assert isolated_database_sync.fetchval("SELECT count(*) FROM ledger") == 0
    isolated_database_sync.execute("INSERT INTO ledger VALUES ($1)", "only")


@_COPIES
async def test_rows_in_a_database_of_its_own(cloned_database: ClonedDatabase, copy: int) -> None:
    await _be_alone_in(await cloned_database.connect())


@_COPIES
async def test_keys(isolated_redis: Any, copy: int) -> None:
    assert await isolated_redis.dbsize() == 0
    assert await isolated_redis.setnx("only", 1)


@_COPIES
def test_keys_without_a_loop(isolated_redis_sync: Any, copy: int) -> None:
    assert isolated_redis_sync.dbsize() == 0
    assert isolated_redis_sync.setnx("only", 1)


@_COPIES
async def test_files(filesystem: IsolatedFilesystem, copy: int) -> None:
    assert await filesystem.list_files() == []
    await filesystem.create_file("only.txt", "x")


@_COPIES
def test_files_without_a_loop(filesystem_sync: BlockingFilesystem, copy: int) -> None:
    assert filesystem_sync.list_files() == []
    filesystem_sync.create_file("only.txt", "x")


@_COPIES
async def test_all_at_once(
    isolated_database: Any, isolated_redis: Any, filesystem: IsolatedFilesystem, copy: int
) -> None:
    await _be_alone_in(isolated_database)
    assert await isolated_redis.setnx("only", 1)
    assert not await filesystem.exists("only.txt")
    await filesystem.create_file("only.txt")
